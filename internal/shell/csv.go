package shell

import (
	"bufio"
	"strings"
)

// printCSV writes RFC 4180: CRLF after each record, fields quoted where needed. Line feeds and tabs stay as they are, which
// quoting makes data; other control characters are escaped as in a table, since CSV is looked at in terminals too.
func printCSV(w *bufio.Writer, columns []string, rows [][]string) {
	if len(columns) == 0 {
		return
	}
	writeRecord(w, columns)
	for _, row := range rows {
		writeRecord(w, row)
	}
}

func writeRecord(w *bufio.Writer, values []string) {
	for i, v := range values {
		if i > 0 {
			w.WriteByte(',')
		}
		v = escapeExcept(v, "\n\t")
		// a lone empty field is quoted, or its record would be an empty line
		if strings.ContainsAny(v, ",\"\n") || v == "" && len(values) == 1 || strings.HasPrefix(v, " ") {
			w.WriteByte('"')
			w.WriteString(strings.ReplaceAll(v, `"`, `""`))
			w.WriteByte('"')
			continue
		}
		w.WriteString(v)
	}
	w.WriteString("\r\n")
}
