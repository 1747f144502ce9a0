// Package wire is how rows travel: from the table that fills them over osquery's extension protocol to the SQL that reads
// them. They have one form all the way, without the map for each row and the string for each value that osquery-go has.
package wire

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// maxBytes bounds the rows of one answer: their values as they are sent, and where they lie.
const maxBytes = 256 << 20

// ErrTooMuch is the error of an answer that is larger.
var ErrTooMuch = fmt.Errorf("more than %d MiB; name fewer columns, or ask for fewer rows", maxBytes>>20)

// Rows are the rows of one answer, in columns that are fixed beforehand: of each part of them the text of all values one after
// another, and where each value lies. 5 000 candidates are so 6 MB in 40 pieces that the garbage collector need not look into; as
// maps they are 24 MB in 5 000 pieces that point at 100 000 more. Rows are filled by one goroutine, and may be read by many after that.
type Rows struct {
	names  places
	parts  []*part // all but the last are full
	latest []cell  // the row that is being filled, which ends the last part
	rows   int
	size   int // bytes
	limit  int
	err    error
	digits [64]byte
}

// partRows is how many rows a part holds: what grows is small, and nothing large is ever copied.
const partRows = 256

type part struct {
	text  strings.Builder
	cells []cell // of each row one for each column that is held
}

// cell is where a value lies in the text. A value that was never set, which SQL reads as NULL, ends before it begins.
type cell struct{ begin, end uint32 }

const cellBytes = 8

var null = cell{1, 0}

func (p *part) at(c cell) string { return p.text.String()[c.begin:c.end] }

// Rows returns no rows yet. Each will hold used of the columns, or all if used is nil; a name in used that is none of them is passed
// over.
func (c *Columns) Rows(used []string) *Rows {
	return &Rows{names: newPlaces(c, used), limit: maxBytes}
}

// List returns no rows yet of columns that may be there twice, as those of an SQL statement: they are known by their places alone.
func List(columns []string) *Rows {
	return &Rows{names: places{Columns: &Columns{}, held: columns}, limit: maxBytes}
}

// empty is no rows of the same columns.
func (r *Rows) empty() *Rows { return r.names.Rows(r.names.held) }

// Next begins a row without values.
func (r *Rows) Next() {
	width := len(r.names.held)
	if !r.room(width * cellBytes) {
		return
	}
	if r.rows%partRows == 0 {
		r.parts = append(r.parts, r.newPart())
	}
	p := r.parts[len(r.parts)-1]
	for range width {
		p.cells = append(p.cells, null)
	}
	r.latest = p.cells[len(p.cells)-width:]
	r.rows++
	r.names.begin()
}

// newPart is the next part. The first grows as it must, for most answers are short; the others become as large as the one before.
func (r *Rows) newPart() *part {
	p := &part{}
	if n := len(r.parts); n > 0 {
		p.cells = make([]cell, 0, partRows*len(r.names.held))
		p.text.Grow(r.parts[n-1].text.Len() * 9 / 8)
	}
	return p
}

// Again begins a row with the values of the one before it.
func (r *Rows) Again() {
	before, first := r.latest, r.rows%partRows == 0
	r.Next()
	if r.err != nil || r.rows == 1 {
		return
	}
	for place, c := range before {
		switch {
		case c == null:
		case first:
			r.Put(place, r.parts[len(r.parts)-2].at(c))
		case r.room(int(c.end - c.begin)):
			r.latest[place] = c
		}
	}
}

// Holds says whether rows hold a column: what is dear to make is made for those that do.
func (r *Rows) Holds(column string) bool {
	i, known := r.names.index[column]
	return known && r.names.at[i] >= 0
}

// Set gives the latest row a value. A column that is not held is passed over; one that the table does not have is a panic.
func (r *Rows) Set(column, value string) {
	if place := r.names.place(column); place >= 0 {
		r.Put(place, value)
	}
}

// Int is Set with a whole number.
func (r *Rows) Int(column string, v int64) {
	if place := r.names.place(column); place >= 0 {
		r.PutBytes(place, strconv.AppendInt(r.digits[:0], v, 10))
	}
}

// Float is Set with a number of so many places, fixed so that a differential query sees no noise. NaN and infinities are 0.
func (r *Rows) Float(column string, v float64, places int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	if place := r.names.place(column); place >= 0 {
		r.PutBytes(place, strconv.AppendFloat(r.digits[:0], v, 'f', places, 64))
	}
}

// Addr is Set with an address.
func (r *Rows) Addr(column string, v netip.Addr) {
	if place := r.names.place(column); place >= 0 {
		r.PutBytes(place, v.AppendTo(r.digits[:0]))
	}
}

// Put gives the latest row a value at a place of Columns. It is held once where it is that of the row before.
func (r *Rows) Put(place int, value string) {
	if !r.room(len(value)) {
		return
	}
	p := r.parts[len(r.parts)-1]
	if before := r.before(p, place); before != null && p.at(before) == value {
		r.latest[place] = before
	} else {
		begin := p.text.Len()
		p.text.WriteString(value)
		r.latest[place] = cell{uint32(begin), uint32(begin + len(value))}
	}
}

// PutBytes is Put for what is no string yet.
func (r *Rows) PutBytes(place int, value []byte) {
	if !r.room(len(value)) {
		return
	}
	p := r.parts[len(r.parts)-1]
	if before := r.before(p, place); before != null && p.at(before) == string(value) {
		r.latest[place] = before
	} else {
		begin := p.text.Len()
		p.text.Write(value)
		r.latest[place] = cell{uint32(begin), uint32(begin + len(value))}
	}
}

// before is the cell of the row before, null if that is in another part.
func (r *Rows) before(p *part, place int) cell {
	if i := len(p.cells) - 2*len(r.names.held) + place; i >= 0 {
		return p.cells[i]
	}
	return null
}

// room says whether so many bytes more fit, and takes them. After the first that do not, nothing is added.
func (r *Rows) room(bytes int) bool {
	if r.err == nil && r.size+bytes > r.limit {
		r.err = ErrTooMuch
	}
	if r.err != nil {
		return false
	}
	r.size += bytes
	return true
}

// Err is ErrTooMuch if anything had to be left out.
func (r *Rows) Err() error { return r.err }

// Len is the number of rows, Columns the names of what each of them holds.
func (r *Rows) Len() int          { return r.rows }
func (r *Rows) Columns() []string { return r.names.held }

// Value returns what a row holds at a place of Columns; ok is false for NULL.
func (r *Rows) Value(row, place int) (value string, ok bool) {
	p := r.parts[row/partRows]
	c := p.cells[row%partRows*len(r.names.held)+place]
	if c == null {
		return "", false
	}
	return p.at(c), true
}

// Same reports that a value is that of the row before without a look at the text. False may be wrong.
func (r *Rows) Same(row, place int) bool {
	cells, i := r.parts[row/partRows].cells, row%partRows*len(r.names.held)+place
	return row%partRows > 0 && cells[i] == cells[i-len(r.names.held)]
}
