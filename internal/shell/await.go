package shell

import "context"

// await returns what read returns, or ok = false if ctx ends first. Reading a terminal or a pipe cannot be interrupted, so
// read is then left behind: the caller must not touch what it uses, and is expected to be about to exit.
func await[T any](ctx context.Context, read func() T) (value T, ok bool) {
	if ctx.Err() != nil {
		return value, false
	}
	done := make(chan T, 1)
	go func() { done <- read() }()
	select {
	case value = <-done:
		return value, true
	case <-ctx.Done():
		return value, false
	}
}
