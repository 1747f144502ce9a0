package wire

import "fmt"

// Columns are the names of a table's columns.
type Columns struct {
	names []string
	index map[string]int
}

// NewColumns returns columns with these names, of which each is there once.
func NewColumns(names []string) *Columns {
	c := &Columns{names: names, index: make(map[string]int, len(names))}
	for i, name := range names {
		c.index[name] = i
	}
	return c
}

// places finds the place of a column in a row by the column's name. Rows are filled, and arrive, in one order of columns again and
// again: the first guess is the column that came after this one the last time.
type places struct {
	*Columns
	held  []string // those that a row holds, in the order of its cells
	at    []int    // of each column, where; -1 for not at all
	after []int    // of each column, and of the beginning, which came next
	last  int      // the latest column; len(names) at the beginning of a row
}

func newPlaces(c *Columns, held []string) places {
	if held == nil {
		held = c.names
	}
	p := places{Columns: c, held: make([]string, 0, len(held)), at: make([]int, len(c.names)), after: make([]int, len(c.names)+1)}
	for i := range c.names {
		p.at[i], p.after[i] = -1, min(i+1, len(c.names)-1)
	}
	for _, name := range held {
		if i, known := c.index[name]; known && p.at[i] < 0 {
			p.at[i] = len(p.held)
			p.held = append(p.held, name)
		}
	}
	p.begin()
	return p
}

// begin says that a row begins.
func (p *places) begin() { p.last = len(p.names) }

// place is where a row holds the column, -1 for not at all. There must be such a column.
func (p *places) place(name string) int {
	guess := p.after[p.last]
	if p.names[guess] != name {
		known := false
		if guess, known = p.index[name]; !known {
			panic(fmt.Sprintf("there is no column %s", name))
		}
		p.after[p.last] = guess
	}
	p.last = guess
	return p.at[guess]
}

// placeOf is place for a name that a peer sent: -1 as well if there is no such column.
func (p *places) placeOf(name []byte) int {
	guess := p.after[p.last]
	if p.names[guess] != string(name) {
		known := false
		if guess, known = p.index[string(name)]; !known {
			return -1
		}
		p.after[p.last] = guess
	}
	p.last = guess
	return p.at[guess]
}
