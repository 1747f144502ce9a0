package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// canHold checks, before anything is waited for, that there is a directory for the file that --output names.
func canHold(path string) error {
	if path == "-" {
		return nil
	}
	dir := filepath.Dir(path)
	switch info, err := os.Stat(dir); {
	case err != nil:
		return usagef("--output %s: %w", path, err)
	case !info.IsDir():
		return usagef("--output %s: %s is no directory", path, dir)
	}
	return nil
}

// writeWhole writes a file that is there whole or not at all; "-" is standard output. Errors name the file that was asked for.
func writeWhole(path string, stdout io.Writer, write func(io.Writer) error) (err error) {
	if path == "-" {
		return write(stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".output-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	err = write(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(cause(err), os.Remove(f.Name())))
	}
	return nil
}

// cause is an error without the name of the temporary file.
func cause(err error) error {
	var of *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &of):
		return of.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
