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
	pending := ""
	for lines.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if pending, err = s.line(ctx, pending, lines.Text(), out); err != nil {
			if errors.Is(err, errQuit) {
				return nil
			}
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read statements: %w", err)
	}
	if blank(pending) {
		return nil
	}
	return s.Execute(ctx, pending, out)
}

// line adds a line of input to what is pending, runs what is complete and returns what is not.
func (s *Shell) line(ctx context.Context, pending, line string, out io.Writer) (string, error) {
	if blank(pending) && isCommand(line) {
		return "", s.command(ctx, line, out)
	}
	pending += line + "\n"
	if len(pending) > maxStatement {
		return "", fmt.Errorf("the statement is longer than %d bytes", maxStatement)
	}
	for {
		statement, rest, complete := splitStatement(pending)
		if !complete {
			return pending, nil
		}
		pending = rest
		if blank(statement) {
			continue
		}
		if err := s.Execute(ctx, statement, out); err != nil {
			return "", err
		}
		if blank(pending) {
			return "", nil
		}
	}
}
