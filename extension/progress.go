package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// showProgress writes line() on w every fifth of a second, over itself, if w is a terminal; otherwise it does nothing. The
// returned function ends that, waits for it and wipes the line.
func showProgress(w io.Writer, line func() string) (hide func()) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func() {}
	}
	done := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprint(w, "\r\x1b[K"+line())
			}
		}
	})
	return func() {
		close(done)
		drawing.Wait()
	}
}

// share says how far through a file we are, where its size is known.
func share(read, total int64) string {
	const mib = 1 << 20
	if total <= 0 {
		return fmt.Sprintf(", %.1f MiB read", float64(read)/mib)
	}
	return fmt.Sprintf(", %d %% of %.1f MiB", 100*min(read, total)/total, float64(total)/mib)
}
