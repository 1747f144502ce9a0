package table

import (
	"context"
	"encoding/json"

	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// row is the rows of an answer, of which the latest is being filled.
type row = *wire.Rows

// Table is a table whose rows hold the columns that the statement reads and no others. osquery names these in the request
// ("colsUsed", from SQLite's mask in virtual_table.cpp; TablePlugin::setRequestFromContext), osquery-go leaves them aside.
// Of 5 000 candidates with more than 60 columns an alert reads six.
type Table struct {
	*table.Plugin
	columns *wire.Columns
}

type rowsKey struct{}

// newTable returns a table that fill fills.
func newTable(name string, columns []table.ColumnDefinition, fill func(table.QueryContext, row), options ...table.TableOpt) Table {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	generate := func(ctx context.Context, q table.QueryContext) ([]map[string]string, error) {
		rows := ctx.Value(rowsKey{}).(row) // by Answer
		fill(q, rows)
		return nil, rows.Err()
	}
	return Table{table.NewPlugin(name, columns, generate, options...), wire.NewColumns(names)}
}

// Columns are the names of its columns.
func (t Table) Columns() *wire.Columns { return t.columns }

// Answer hands the request to osquery-go, which reads it and calls fill.
func (t Table) Answer(ctx context.Context, request osquery.ExtensionPluginRequest) wire.Answer {
	var query struct {
		ColsUsed []string `json:"colsUsed"`
	}
	// what is no JSON is refused by the call itself; an empty list is count(*), which needs rows but no columns
	_ = json.Unmarshal([]byte(request["context"]), &query)
	rows := t.columns.Rows(query.ColsUsed)
	response := t.Plugin.Call(context.WithValue(ctx, rowsKey{}, rows), request)
	if request["action"] != "generate" || response.Status.Code != 0 {
		return wire.Answer{Status: response.Status, Maps: response.Response}
	}
	return wire.Answer{Status: response.Status, Rows: rows}
}

// Call is Answer for those who want osquery-go's maps.
func (t Table) Call(ctx context.Context, request osquery.ExtensionPluginRequest) osquery.ExtensionResponse {
	return t.Answer(ctx, request).Response()
}
