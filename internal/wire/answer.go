package wire

import (
	"context"

	"github.com/osquery/osquery-go/gen/osquery"
)

// Answer is what a table says to a request: rows as they were filled, or osquery-go's maps from a table that knows no others.
type Answer struct {
	Status *osquery.ExtensionStatus
	Rows   *Rows // nil: Maps
	Maps   osquery.ExtensionPluginResponse
}

// Table is a table as osquery-go calls it.
type Table interface {
	Call(context.Context, osquery.ExtensionPluginRequest) osquery.ExtensionResponse
}

// Answerer is a table that answers in rows.
type Answerer interface {
	Answer(context.Context, osquery.ExtensionPluginRequest) Answer
}

// Ask calls a table, for rows if it has them.
func Ask(ctx context.Context, t Table, request osquery.ExtensionPluginRequest) Answer {
	if a, ok := t.(Answerer); ok {
		return a.Answer(ctx, request)
	}
	response := t.Call(ctx, request)
	return Answer{Status: response.Status, Maps: response.Response}
}

// Response is the answer as osquery-go has it.
func (a Answer) Response() osquery.ExtensionResponse {
	if a.Rows == nil {
		return osquery.ExtensionResponse{Status: a.Status, Response: a.Maps}
	}
	maps := make(osquery.ExtensionPluginResponse, a.Rows.Len())
	columns := a.Rows.Columns()
	for i := range maps {
		maps[i] = make(map[string]string, len(columns))
		for place, column := range columns {
			if v, ok := a.Rows.Value(i, place); ok {
				maps[i][column] = v
			}
		}
	}
	return osquery.ExtensionResponse{Status: a.Status, Response: maps}
}

// Held returns the rows of the answer, of which maps are made rows of the columns used.
func (a Answer) Held(c *Columns, used []string) *Rows {
	if a.Rows != nil {
		return a.Rows
	}
	rows := c.Rows(used)
	for _, m := range a.Maps {
		rows.Next()
		for place, column := range rows.Columns() {
			if v, ok := m[column]; ok {
				rows.Put(place, v)
			}
		}
	}
	return rows
}
