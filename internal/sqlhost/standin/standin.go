// Package standin has tables of osquery's own that stand in for osquery's: its published columns, and the rows they are given.
// With them a query that joins osquery's tables can be compiled and run without osquery, and one that asks for a column of a
// newer osquery or is mistyped fails here and not on a host. They say nothing of what osquery would answer.
package standin

import (
	"context"

	"github.com/osquery/osquery-go/plugin/table"
)

// Rows returns the rows of a table, given the equalities of the query by column.
type Rows func(equals map[string]string) []map[string]string

// Tables returns the tables of osquery that shipped queries join or guides show: crontab, deb_packages, hash, listening_ports, processes, systemd_units and
// users. rows by name of the table may leave any out: those are empty.
func Tables(rows map[string]Rows) []*table.Plugin {
	var all []*table.Plugin
	for _, r := range relations() {
		var columns []table.ColumnDefinition
		for _, c := range r.columns {
			option := table.OptimizedColumn()
			switch {
			case c.required:
				option = table.RequiredColumn()
			case c.index:
				option = table.IndexColumn()
			}
			columns = append(columns, table.NewColumn(c.name, table.ColumnType(c.kind), option))
		}
		given := rows[r.name]
		all = append(all, table.NewPlugin(r.name, columns, func(_ context.Context, q table.QueryContext) ([]map[string]string, error) {
			if given == nil {
				return nil, nil
			}
			return given(equals(q)), nil
		}))
	}
	return all
}

func equals(q table.QueryContext) map[string]string {
	values := map[string]string{}
	for name, column := range q.Constraints {
		for _, c := range column.Constraints {
			if c.Operator == table.OperatorEquals {
				values[name] = c.Expression
			}
		}
	}
	return values
}
