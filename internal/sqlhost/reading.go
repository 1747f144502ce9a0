package sqlhost

import (
	"database/sql/driver"

	"github.com/osquery/osquery-go/gen/osquery"
)

// reading is which columns of a table a statement reads: its rows hold these and no others.
type reading struct {
	places []int          // where a row holds each column of the table, -1 for not at all
	index  map[string]int // the same by the column's name
	kinds  []string       // types of what a row holds
}

func newReading(columns []column, p plan) *reading {
	r := &reading{places: make([]int, len(columns)), index: map[string]int{}}
	for i, c := range columns {
		r.places[i] = -1
		if p.uses(i) {
			r.places[i], r.index[c.name] = len(r.kinds), len(r.kinds)
			r.kinds = append(r.kinds, c.kind)
		}
	}
	return r
}

// rows reads what a table of this process answered, as an answer's are.
func (r *reading) rows(response osquery.ExtensionPluginResponse) [][]driver.Value {
	rows := make([][]driver.Value, len(response))
	for i, row := range response {
		rows[i] = make([]driver.Value, len(r.kinds))
		for name, place := range r.index {
			if s, there := row[name]; there {
				rows[i][place] = sqlValue(r.kinds[place], s)
			}
		}
	}
	return rows
}
