package main

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pollFor is how long one wait for input lasts, in milliseconds, before ctx is looked at again.
const pollFor = 200

// interruptible returns a reader of in that ends with the error of ctx: a read of a pipe or a terminal is not ended by
// closing it, so it waits until there is something to read. Regular files, and what is no file, are returned as they are.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	file, ok := in.(*os.File)
	if !ok {
		return in
	}
	if info, err := file.Stat(); err != nil || info.Mode().IsRegular() {
		return in
	}
	return &waitingReader{ctx, file}
}

type waitingReader struct {
	ctx  context.Context
	file *os.File
}

func (w *waitingReader) Read(p []byte) (int, error) {
	ready := []unix.PollFd{{Fd: int32(w.file.Fd()), Events: unix.POLLIN}}
	for {
		if err := w.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := unix.Poll(ready, pollFor)
		if n > 0 || err != nil && err != unix.EINTR {
			return w.file.Read(p)
		}
	}
}
