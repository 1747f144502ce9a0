package table

import (
	"context"
	"encoding/json"

	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/osquery/osquery-go/plugin/table"
)

// Table is a table whose rows hold the columns that the statement reads and no others. osquery names these in the request
// ("colsUsed", from SQLite's mask in virtual_table.cpp; TablePlugin::setRequestFromContext), osquery-go leaves them aside.
// Of 5 000 candidates with more than 60 columns an alert reads six.
type Table struct{ *table.Plugin }

type usedKey struct{}

// Call hands the columns of the request to the table's generate function.
func (t Table) Call(ctx context.Context, request osquery.ExtensionPluginRequest) osquery.ExtensionResponse {
	var query struct {
		ColsUsed []string `json:"colsUsed"`
	}
	// a request that is no JSON is refused by the call itself; an empty list is count(*), which needs rows but no columns
	if json.Unmarshal([]byte(request["context"]), &query) == nil && query.ColsUsed != nil {
		ctx = context.WithValue(ctx, usedKey{}, query.ColsUsed)
	}
	return t.Plugin.Call(ctx, request)
}

// projection keeps the columns that a statement reads.
type projection struct {
	some    bool
	used    []string
	columns int
	scratch row
}

// projectionOf is that of a request to a table of so many columns.
func projectionOf(ctx context.Context, columns int) *projection {
	used, some := ctx.Value(usedKey{}).([]string)
	return &projection{some: some && len(used) < columns, used: used, columns: columns, scratch: row{}}
}

// row is an empty row to fill. It is taken back by keep.
func (p *projection) row() row {
	if !p.some {
		return make(row, p.columns)
	}
	clear(p.scratch)
	return p.scratch
}

// keep returns of a filled row what the statement reads.
func (p *projection) keep(r row) row {
	if !p.some {
		return r
	}
	kept := make(row, len(p.used))
	for _, column := range p.used {
		if v, ok := r[column]; ok {
			kept[column] = v
		}
	}
	return kept
}
