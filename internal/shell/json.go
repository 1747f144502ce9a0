package shell

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// printJSON writes a column whose name comes again later only there, as a map would. What holds numbers is written as numbers,
// with null for NULL; everything else as strings.
func printJSON(w *bufio.Writer, columns, types []string, rows [][]string) {
	var keep []int
	for i, name := range columns {
		if !slices.Contains(columns[i+1:], name) {
			keep = append(keep, i)
		}
	}
	numbers := make([]bool, len(columns))
	for _, i := range keep {
		numbers[i] = holdsNumbers(types, rows, i)
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
			writeJSONValue(w, row[column], numbers[column])
		}
		w.WriteByte('}')
	}
	if len(rows) > 0 {
		w.WriteByte('\n')
	}
	w.WriteString("]\n")
}

// holdsNumbers says whether a column is one of numbers: by its type, or by its values where it is computed and has none.
func holdsNumbers(types []string, rows [][]string, column int) bool {
	if column >= len(types) {
		return false
	}
	switch strings.ToUpper(types[column]) {
	case "INTEGER", "BIGINT", "UNSIGNED BIGINT", "DOUBLE", "REAL":
		return true
	case "", "UNKNOWN":
		return numeric(rows, column)
	}
	return false
}

// writeJSONValue writes a value of a column of numbers, or of text. A number that JSON has no form for stays a string.
func writeJSONValue(w *bufio.Writer, value string, isNumber bool) {
	switch {
	case isNumber && value == "":
		w.WriteString("null")
	case isNumber && number.MatchString(value) && json.Valid([]byte(value)):
		w.WriteString(value)
	default:
		writeJSONString(w, value)
	}
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
