package shell

import (
	"bufio"
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const (
	minColumn = 6 // columns are not made narrower than this, or their name's longest word
	maxLines  = 4 // lines a value may wrap to; the rest is cut, with an ellipsis
	frame     = 3 // "| " and " " around each value
)

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// printTable prints a box no wider than the layout, narrowing the widest text columns and wrapping them. Rows that cannot
// fit even so are printed line by line instead.
func printTable(w *bufio.Writer, layout Layout, columns []string, rows [][]string) {
	if len(columns) == 0 {
		return
	}
	if layout.Width <= 0 {
		layout.Width = defaultWidth
	}
	names := escapeAll(columns)
	cells := make([][]string, len(rows))
	for i, row := range rows {
		cells[i] = escapeAll(row)
	}
	widths, ok := fit(names, cells, layout.Width)
	if !ok {
		printLines(w, columns, rows)
		return
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	configs := make([]table.ColumnConfig, len(names))
	for i := range names {
		align := text.AlignLeft
		if numeric(cells, i) {
			align = text.AlignRight
		}
		configs[i] = table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align}
		if layout.Bold {
			configs[i].ColorsHeader = text.Colors{text.Bold}
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(wrapped(names, widths))
	for _, row := range cells {
		t.AppendRow(wrapped(row, widths))
	}
	w.WriteString(t.Render())
	w.WriteByte('\n')
}

// fit returns the width of each column so that the table takes at most total, or false if that is too many columns.
func fit(names []string, rows [][]string, total int) ([]int, bool) {
	widths := make([]int, len(names))
	least := make([]int, len(names))
	for i, name := range names {
		widths[i] = text.StringWidth(name)
		for _, row := range rows {
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
		least[i] = min(widths[i], max(minColumn, longestPart(name)))
		if numeric(rows, i) {
			least[i] = widths[i] // a number is not cut
		}
	}
	room := total - frame*len(names) - 1
	for sum := sumOf(widths); sum > room; sum-- {
		widest := -1
		for i, width := range widths {
			if width > least[i] && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil, false
		}
		// cut the widest down to the room there is, or one by one while others are as wide
		if cut := min(sum-room, widths[widest]-max(least[widest], secondWidest(widths, widest))); cut > 1 {
			widths[widest] -= cut
			sum -= cut - 1
			continue
		}
		widths[widest]--
	}
	return widths, true
}

func secondWidest(widths []int, except int) int {
	second := 0
	for i, width := range widths {
		if i != except {
			second = max(second, width)
		}
	}
	return second
}

func sumOf(values []int) int {
	sum := 0
	for _, v := range values {
		sum += v
	}
	return sum
}

// longestPart is the longest part of a column name, which wraps at underscores.
func longestPart(name string) int {
	longest := 0
	for part := range strings.SplitAfterSeq(name, "_") {
		longest = max(longest, text.StringWidth(part))
	}
	return longest
}

// numeric says whether every value of a column is a number, and there is one.
func numeric(rows [][]string, column int) bool {
	found := false
	for _, row := range rows {
		switch v := row[column]; {
		case v == "":
		case number.MatchString(v):
			found = true
		default:
			return false
		}
	}
	return found
}

// wrapped breaks each value into lines of its column's width.
func wrapped(values []string, widths []int) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = strings.Join(wrap(v, widths[i]), "\n")
	}
	return row
}

// wrap breaks a value after a space, slash, underscore, comma or dash if there is one in the last half of the line, and
// anywhere else otherwise.
func wrap(value string, width int) []string {
	if text.StringWidth(value) <= width {
		return []string{value}
	}
	var lines []string
	runes := []rune(value)
	for len(runes) > 0 && len(lines) < maxLines {
		n, used := 0, 0
		for n < len(runes) && used+text.RuneWidth(runes[n]) <= width {
			used += text.RuneWidth(runes[n])
			n++
		}
		n = max(n, 1)
		if n < len(runes) && len(lines) < maxLines-1 {
			for at := n; at > n/2; at-- {
				if slices.Contains([]rune(" /_,-"), runes[at-1]) {
					n = at
					break
				}
			}
		}
		lines = append(lines, strings.TrimRight(string(runes[:n]), " "))
		runes = runes[n:]
	}
	if len(runes) > 0 {
		last := []rune(lines[len(lines)-1])
		for len(last) > 0 && text.StringWidth(string(last)) >= width {
			last = last[:len(last)-1]
		}
		lines[len(lines)-1] = string(last) + "…"
	}
	return lines
}
