package shell

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf16"
)

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
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(w, `\u%04x`, unit)
			}
			continue
		}
		w.WriteRune(r)
	}
}
