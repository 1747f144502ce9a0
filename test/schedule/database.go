package schedule

import (
	"slices"
	"strings"
)

// Database is what osqueryd keeps of scheduled queries in RocksDB: give it to the next Daemon for a restart that keeps it.
type Database struct {
	queries map[string]*past
}

// past is what is kept of one query name.
type past struct {
	sql     string
	epoch   uint64
	counter uint64
	rows    []row
}

// NewDatabase returns an empty one.
func NewDatabase() *Database { return &Database{queries: map[string]*past{}} }

// Rows is the number of rows kept for comparison, of all queries.
func (d *Database) Rows() int {
	n := 0
	for _, p := range d.queries {
		n += len(p.rows)
	}
	return n
}

// row is one result, sorted by column as osquery's are.
type row struct {
	key    string // names and values, the identity in comparisons
	fields []field
}

type field struct {
	name, value string
	number      bool
}

func newRow(columns, values []string, numeric []bool) row {
	var r row
	for i, c := range columns {
		number := numeric != nil && numeric[i] && values[i] != ""
		r.fields = append(r.fields, field{c, values[i], number})
	}
	slices.SortStableFunc(r.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	var key strings.Builder
	for _, f := range r.fields {
		key.WriteString(f.name)
		key.WriteByte(0)
		key.WriteString(f.value)
		key.WriteByte(0)
	}
	r.key = key.String()
	return r
}

// change is a differential result.
type change struct {
	added, removed []row
	counter        uint64
}

// compare takes in a result and returns what changed (Query::addNewResults).
func (d *Database) compare(name, sql string, epoch uint64, rows []row) change {
	p := d.queries[name]
	if p == nil || p.epoch != epoch {
		d.queries[name] = &past{sql: sql, epoch: epoch, rows: rows}
		return change{added: rows}
	}
	renewed := p.sql != sql
	p.sql = sql
	c := diff(p.rows, rows)
	switch {
	case renewed:
		p.counter = 0
	case len(c.added)+len(c.removed) > 0:
		p.counter++
	}
	c.counter = p.counter
	if len(c.added)+len(c.removed) > 0 {
		p.rows = rows
	}
	return c
}

// diff compares multisets; removed rows come in the order of their text, as from a std::multiset.
func diff(before, now []row) change {
	left := map[string][]row{}
	for _, r := range before {
		left[r.key] = append(left[r.key], r)
	}
	var c change
	for _, r := range now {
		if same := left[r.key]; len(same) > 0 {
			left[r.key] = same[1:]
			continue
		}
		c.added = append(c.added, r)
	}
	for _, same := range left {
		c.removed = append(c.removed, same...)
	}
	slices.SortFunc(c.removed, func(a, b row) int { return strings.Compare(a.key, b.key) })
	return c
}
