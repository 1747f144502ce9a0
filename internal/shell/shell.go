// Package shell is the SQL prompt and its output formats: it runs statements on anything that answers SQL as osquery does,
// an osquery socket (Dial) or an embedded host, and prints the rows as a table, lines, CSV or JSON.
//
// It does not parse SQL beyond finding where a statement ends, and keeps no rows after they are printed. Whatever a table
// sends, no control character of it reaches the terminal.
package shell

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"
)

// Querier answers SQL. It must allow one call at a time, and end a call when its context ends.
type Querier interface {
	// Query runs one statement. Every row has one value per column; NULL is the empty string.
	Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error)
	// Columns returns the names and osquery types of a statement's columns without running it.
	Columns(ctx context.Context, sql string) (names, types []string, err error)
}

// Config says how a Shell looks. The zero value is usable.
type Config struct {
	// Mode is the output format; Table is the zero value. ".mode" changes it.
	Mode Mode
	// Width is the number of columns a table may take; 0 is the terminal's width, or 120 where there is none.
	Width int
	// HistoryFile keeps what was typed at the prompt, mode 0600; empty keeps nothing.
	HistoryFile string
	// Name stands in the prompt and the greeting. Default "sql".
	Name string
	// NoColor leaves out the one attribute there is, bold headers. So does a set NO_COLOR in the environment, and an
	// output that is not a terminal.
	NoColor bool
}

// Shell runs statements and commands. It is used by one goroutine.
type Shell struct {
	querier Querier
	config  Config
	names   *completer
}

// New returns a Shell over q.
func New(q Querier, config Config) *Shell {
	if config.Name == "" {
		config.Name = "sql"
	}
	return &Shell{querier: q, config: config, names: &completer{querier: q}}
}

// Run reads statements and dot commands from in and prints to out until in ends, ctx ends or the user leaves. If both are
// terminals it prompts, prints errors and goes on; otherwise it stops at the first error and returns it.
func (s *Shell) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	if isTerminal(in) && isTerminal(out) {
		return s.prompt(ctx, out)
	}
	return s.batch(ctx, in, out)
}

// Execute runs one statement, or dot command, and prints what it returns.
func (s *Shell) Execute(ctx context.Context, statement string, out io.Writer) error {
	if isCommand(statement) {
		return s.command(ctx, statement, out)
	}
	columns, rows, err := s.querier.Query(ctx, statement)
	if err != nil {
		return err
	}
	var types []string
	if s.config.Mode == JSON {
		if types, err = typesOf(ctx, s.querier, statement, columns); err != nil {
			return err
		}
	}
	return Print(out, s.config.Mode, s.layout(out), columns, types, rows)
}

// typesOf returns the type of each column of an answer; of columns of one name the last is in it.
func typesOf(ctx context.Context, q Querier, statement string, columns []string) ([]string, error) {
	names, types, err := q.Columns(ctx, statement)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]string, len(names))
	for i, name := range names {
		byName[name] = types[i]
	}
	found := make([]string, len(columns))
	for i, name := range columns {
		found[i] = byName[name]
	}
	return found, nil
}

// layout finds what is known of the output.
func (s *Shell) layout(out io.Writer) Layout {
	l := Layout{Width: s.config.Width}
	file, ok := out.(*os.File)
	terminal := ok && term.IsTerminal(int(file.Fd()))
	if l.Width <= 0 {
		l.Width = defaultWidth
		if terminal {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				l.Width = width
			}
		}
	}
	l.Bold = terminal && !s.config.NoColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return l
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
