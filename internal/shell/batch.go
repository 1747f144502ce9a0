package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxStatement bounds a statement, and a line of input.
const maxStatement = 1 << 20

// errQuit ends Run without being an error.
var errQuit = errors.New("quit")

// batch runs what in holds: a dot command per line, or statements that end with ';' or with the input.
func (s *Shell) batch(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxStatement)
	var pending splitter
	for {
		more, ok := await(ctx, lines.Scan)
		if !ok {
			return ctx.Err()
		}
		if !more {
			break
		}
		if err := s.line(ctx, &pending, lines.Text(), out); err != nil {
			if errors.Is(err, errQuit) {
				return nil
			}
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read statements: %w", err)
	}
	if !pending.content {
		return nil
	}
	return s.Execute(ctx, string(pending.text), out)
}

// line adds a line of input to what is pending and runs what is complete. After an error nothing is pending.
func (s *Shell) line(ctx context.Context, pending *splitter, line string, out io.Writer) (err error) {
	defer func() {
		if err != nil {
			*pending = splitter{}
		}
	}()
	if pending.idle() && isCommand(line) {
		*pending = splitter{}
		return s.command(ctx, line, out)
	}
	if len(pending.text)+len(line) > maxStatement {
		return fmt.Errorf("the statement is longer than %d bytes", maxStatement)
	}
	pending.add(line)
	for {
		statement, ok := pending.next()
		if !ok {
			return nil
		}
		if err := s.Execute(ctx, statement, out); err != nil {
			return err
		}
	}
}
