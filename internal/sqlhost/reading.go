package sqlhost

import (
	"database/sql/driver"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// reading is which columns of a table a statement reads.
type reading struct {
	table *relation
	used  []string
}

func newReading(t *relation, p plan) reading {
	r := reading{table: t, used: []string{}}
	for i, c := range t.columns {
		if p.uses(i) {
			r.used = append(r.used, c.name)
		}
	}
	return r
}

// scan is the rows of one answer as SQL reads them: one after another, column by column.
type scan struct {
	rows   *wire.Rows
	places []int   // where a row holds each column of the table, -1 for not at all
	values []value // of each place, the latest that was read
	row    int
}

// value is a value of SQLite's, and in which row it was read. Rows repeat much of the one before.
type value struct {
	row   int
	value driver.Value
}

// start begins to read rows of a table.
func (s *scan) start(t *relation, rows *wire.Rows) {
	s.rows, s.row = rows, 0
	s.values = s.values[:0]
	if s.places == nil {
		s.places = make([]int, len(t.columns))
	}
	for i := range s.places {
		s.places[i] = -1
	}
	for place, name := range rows.Columns() {
		s.values = append(s.values, value{row: -1})
		if i, known := t.index[name]; known {
			s.places[i] = place
		}
	}
}

func (s *scan) ended() bool { return s.rows == nil || s.row >= s.rows.Len() }

// column is the value of a column in the present row.
func (s *scan) column(i int, kind string) driver.Value {
	place := s.places[i]
	if place < 0 {
		return nil
	}
	v := &s.values[place]
	if v.row != s.row {
		if v.row < 0 || v.row != s.row-1 || !s.rows.Same(s.row, place) {
			v.value = nil
			if text, ok := s.rows.Value(s.row, place); ok {
				v.value = sqlValue(kind, text)
			}
		}
		v.row = s.row
	}
	return v.value
}
