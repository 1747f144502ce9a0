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
	var pending splitter
	editor.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		before := string([]rune(line)[:pos]) // liner counts runes
		head, words, _ := s.names.complete(string(pending.text), before, len(before))
		return head, words, strings.TrimPrefix(line, before)
	})
	s.loadHistory(editor)
	defer s.saveHistory(editor)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	for {
		mark := s.config.Name + "> "
		if !pending.idle() {
			mark = strings.Repeat(" ", max(0, len(mark)-5)) + "...> "
		}
		typed, ok := await(ctx, func() input {
			line, err := editor.Prompt(mark)
			return input{line, err}
		})
		switch {
		case !ok:
			return nil
		case errors.Is(typed.err, liner.ErrPromptAborted):
			pending = splitter{}
			continue
		case errors.Is(typed.err, io.EOF):
			fmt.Fprintln(out)
			return nil
		case typed.err != nil:
			return fmt.Errorf("prompt: %w", typed.err)
		}
		if strings.TrimSpace(typed.line) != "" {
			editor.AppendHistory(typed.line)
		}
		err := s.interruptible(ctx, interrupts, &pending, typed.line, out)
		switch {
		case errors.Is(err, errQuit):
			return nil
		case err != nil:
			fmt.Fprintf(out, "Error: %s\n", escape(err.Error()))
		}
	}
}

type input struct {
	line string
	err  error
}

// interruptible is line, ended by Ctrl-C. While the editor reads, Ctrl-C is a key; while a statement runs, it is a signal.
func (s *Shell) interruptible(ctx context.Context, interrupts <-chan os.Signal, pending *splitter, line string, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	interrupted := false
	go func() {
		defer close(done)
		select {
		case <-interrupts:
			interrupted = true
			cancel()
		case <-ctx.Done():
		}
	}()
	err := s.line(ctx, pending, line, out)
	cancel()
	<-done
	if err != nil && interrupted {
		return errors.New("interrupted")
	}
	return err
}
