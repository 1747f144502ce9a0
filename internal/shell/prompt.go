package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/peterh/liner"
)

// prompt talks to the person at the terminal, which must be the process's standard input and output.
func (s *Shell) prompt(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "%s: type SQL ending with a semicolon, or .help\n", s.config.Name)
	editor := liner.NewLiner()
	defer editor.Close()
	editor.SetCtrlCAborts(true)
	editor.SetTabCompletionStyle(liner.TabPrints)
	pending := ""
	editor.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		before := string([]rune(line)[:pos]) // liner counts runes
		head, words, _ := s.names.complete(pending, before, len(before))
		return head, words, strings.TrimPrefix(line, before)
	})
	s.loadHistory(editor)
	defer s.saveHistory(editor)
	for ctx.Err() == nil {
		mark := s.config.Name + "> "
		if pending != "" {
			mark = strings.Repeat(" ", max(0, len(mark)-5)) + "...> "
		}
		line, err := editor.Prompt(mark)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			pending = ""
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(out)
			return nil
		case err != nil:
			return fmt.Errorf("prompt: %w", err)
		}
		if strings.TrimSpace(line) != "" {
			editor.AppendHistory(line)
		}
		pending, err = s.interruptible(ctx, pending, line, out)
		switch {
		case errors.Is(err, errQuit):
			return nil
		case err != nil:
			fmt.Fprintf(out, "Error: %s\n", escape(err.Error()))
		}
	}
	return nil
}

// interruptible is line, ended by Ctrl-C.
func (s *Shell) interruptible(ctx context.Context, pending, line string, out io.Writer) (string, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	pending, err := s.line(ctx, pending, line, out)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return pending, err
}
