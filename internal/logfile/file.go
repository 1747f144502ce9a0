// Package logfile reads log files: it opens them, plain, gzip or zstd, cuts them into lines of bounded length, says how far
// it has come, and keeps count of the lines that were bad.
//
// It knows no format; what a line means is the caller's.
package logfile

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// File is an open input as plain text.
type File struct {
	io.Reader
	Size    int64 // before decompression; 0 where it is not known
	closers []io.Closer
}

// Open opens a path, "-" being stdin, and decompresses it. What is read of it, compressed, is added to done.
func Open(path string, stdin io.Reader, done *atomic.Int64) (*File, error) {
	f, source := &File{}, stdin
	if path != "-" {
		opened, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		f.closers, source = append(f.closers, opened), opened
	}
	err := f.measure(source)
	if err == nil {
		var plain io.ReadCloser
		if plain, err = decompress(&countingReader{source, done}); err == nil {
			f.Reader, f.closers = plain, append(f.closers, plain)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) measure(source io.Reader) error {
	opened, ok := source.(*os.File)
	if !ok {
		return nil
	}
	info, err := opened.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("is a directory")
	case info.Mode().IsRegular():
		f.Size = info.Size()
	}
	return nil
}

// Close closes what was opened, innermost first. The files were only read, so nothing can be lost by it.
func (f *File) Close() {
	for i := len(f.closers) - 1; i >= 0; i-- {
		f.closers[i].Close()
	}
}

// countingReader counts what was read.
type countingReader struct {
	in   io.Reader
	done *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.done.Add(int64(n))
	return n, err
}
