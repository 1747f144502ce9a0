package shell

import (
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

const help = `Type SQL; a statement may take many lines and ends with a semicolon.
.tables [PATTERN]   the tables, or those whose name matches (* and ?)
.schema [TABLE]     the columns of a table, or of all tables
.mode [MODE]        the output format: table, line, csv or json
.help               this text
.exit, .quit        leave (Ctrl-D too); Ctrl-C ends a statement
`

// command runs a dot command. errQuit means the user wants to leave.
func (s *Shell) command(ctx context.Context, line string, out io.Writer) error {
	fields := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), ";"))
	if len(fields) > 2 {
		return fmt.Errorf("%s takes at most one argument", fields[0])
	}
	argument := ""
	if len(fields) == 2 {
		argument = fields[1]
	}
	switch fields[0] {
	case ".exit", ".quit":
		return errQuit
	case ".help":
		_, err := io.WriteString(out, help)
		return err
	case ".mode":
		return s.mode(argument, out)
	case ".tables":
		return s.tables(ctx, argument, out)
	case ".schema":
		return s.schema(ctx, argument, out)
	}
	return fmt.Errorf("there is no command %s; .help lists them", escape(fields[0]))
}

func (s *Shell) mode(name string, out io.Writer) error {
	if name == "" {
		_, err := fmt.Fprintln(out, s.config.Mode)
		return err
	}
	mode, err := ParseMode(name)
	if err == nil {
		s.config.Mode = mode
	}
	return err
}

func (s *Shell) tables(ctx context.Context, pattern string, out io.Writer) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("pattern %q: %w", pattern, err)
	}
	names, err := tableNames(ctx, s.querier)
	if err != nil {
		return err
	}
	for _, name := range names {
		if matched, _ := path.Match(pattern, name); pattern != "" && !matched {
			continue
		}
		if _, err := fmt.Fprintln(out, escape(name)); err != nil {
			return err
		}
	}
	return nil
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (s *Shell) schema(ctx context.Context, table string, out io.Writer) error {
	names := []string{table}
	if table == "" {
		var err error
		if names, err = tableNames(ctx, s.querier); err != nil {
			return err
		}
	}
	for _, name := range names {
		if !plainName.MatchString(name) {
			return fmt.Errorf("%q is not a table name", name)
		}
		columns, types, err := s.querier.Columns(ctx, "SELECT * FROM "+name)
		if err != nil {
			return err
		}
		var b strings.Builder
		fmt.Fprintf(&b, "CREATE TABLE %s(", name)
		for i, column := range columns {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "`%s` %s", escape(column), escape(types[i]))
		}
		b.WriteString(");\n")
		if _, err := io.WriteString(out, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// tableNames asks osquery's own list of registered tables.
func tableNames(ctx context.Context, q Querier) ([]string, error) {
	_, rows, err := q.Query(ctx, "SELECT DISTINCT name FROM osquery_registry WHERE registry = 'table' ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	names := make([]string, 0, len(rows))
	for _, row := range rows {
		names = append(names, row[0])
	}
	return names, nil
}
