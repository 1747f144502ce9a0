package shell

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Mode is an output format.
type Mode int

// The output formats.
const (
	Table Mode = iota // a box, for people
	Line              // a line per value, for wide rows
	CSV               // RFC 4180
	JSON              // an array of objects, values as strings, columns in order, as osqueryi --json
)

var modeNames = [...]string{Table: "table", Line: "line", CSV: "csv", JSON: "json"}

func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

// ParseMode returns the mode of that name.
func ParseMode(name string) (Mode, error) {
	if i := slices.Index(modeNames[:], name); i >= 0 {
		return Mode(i), nil
	}
	return 0, fmt.Errorf("there is no mode %q: choose %s", name, strings.Join(modeNames[:], ", "))
}

// Layout is what a table needs to know of the place it is printed to.
type Layout struct {
	Width int  // columns of the terminal; 0 is 120
	Bold  bool // headers in bold
}

const defaultWidth = 120

// Print writes rows in the given mode. Every row must have len(columns) values.
func Print(out io.Writer, mode Mode, layout Layout, columns []string, rows [][]string) error {
	w := bufio.NewWriter(out)
	var err error
	switch mode {
	case Line:
		printLines(w, columns, rows)
	case CSV:
		err = printCSV(w, columns, rows)
	case JSON:
		printJSON(w, columns, rows)
	default:
		printTable(w, layout, columns, rows)
	}
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

func printLines(w *bufio.Writer, columns []string, rows [][]string) {
	names := escapeAll(columns)
	width := 0
	for _, name := range names {
		width = max(width, text.StringWidth(name))
	}
	for i, row := range rows {
		if i > 0 {
			w.WriteByte('\n')
		}
		for j, name := range names {
			fmt.Fprintf(w, "%s%s = %s\n", strings.Repeat(" ", width-text.StringWidth(name)), name, escape(row[j]))
		}
	}
}

// printCSV keeps line feeds and tabs, which quoting makes data; other control characters are escaped as in a table, since
// CSV is looked at in terminals too.
func printCSV(w *bufio.Writer, columns []string, rows [][]string) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	record := make([]string, len(columns))
	write := func(values []string) error {
		for i, v := range values {
			record[i] = escapeExcept(v, "\n\t")
		}
		return c.Write(record)
	}
	if len(columns) == 0 {
		return nil
	}
	if err := write(columns); err != nil {
		return err
	}
	for _, row := range rows {
		if err := write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// printJSON writes a column whose name comes again later only there, as a map would.
func printJSON(w *bufio.Writer, columns []string, rows [][]string) {
	var keep []int
	for i, name := range columns {
		if !slices.Contains(columns[i+1:], name) {
			keep = append(keep, i)
		}
	}
	w.WriteByte('[')
	for i, row := range rows {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString("\n  {")
		for j, column := range keep {
			if j > 0 {
				w.WriteByte(',')
			}
			writeJSONString(w, columns[column])
			w.WriteByte(':')
			writeJSONString(w, row[column])
		}
		w.WriteByte('}')
	}
	if len(rows) > 0 {
		w.WriteByte('\n')
	}
	w.WriteString("]\n")
}

// writeJSONString escapes more than JSON asks: everything a terminal might act on. A reader of JSON sees no difference.
func writeJSONString(w *bufio.Writer, s string) {
	quoted, _ := json.Marshal(s) // a string always marshals; it comes out as valid UTF-8
	for _, r := range string(quoted) {
		if r != ' ' && unsafeRune(r) {
			if r > 0xffff {
				r1, r2 := utf16Pair(r)
				fmt.Fprintf(w, `\u%04x\u%04x`, r1, r2)
				continue
			}
			fmt.Fprintf(w, `\u%04x`, r)
			continue
		}
		w.WriteRune(r)
	}
}
