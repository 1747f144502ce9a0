package shell

import (
	"bufio"
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
	JSON              // an array of objects, columns in order; numbers as numbers and their NULL as null, which osqueryi --json does not
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

// Print writes rows in the given mode. Every row must have len(columns) values. types are the osquery types of the columns, which
// JSON is written by; nil for text.
func Print(out io.Writer, mode Mode, layout Layout, columns, types []string, rows [][]string) error {
	w := bufio.NewWriter(out)
	switch mode {
	case Line:
		printLines(w, columns, rows)
	case CSV:
		printCSV(w, columns, rows)
	case JSON:
		printJSON(w, columns, types, rows)
	default:
		printTable(w, layout, columns, rows)
	}
	return w.Flush()
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
