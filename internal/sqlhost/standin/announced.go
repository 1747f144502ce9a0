package standin

import (
	"context"
	"maps"
	"slices"

	osquerygo "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/osquery/osquery-go/plugin/table"
)

// announced are tables and columns of the sensor that shipped queries read already and that are on their way into the tables.
var announced = map[string][]column{
	"beacon_candidates":    columns("TEXT coverage_run"),
	"beacon_sensor_status": columns("TEXT coverage_run"),
}

type widened struct {
	osquerygo.OsqueryPlugin
	routes osquery.ExtensionPluginResponse
}

func (w widened) Routes() osquery.ExtensionPluginResponse { return w.routes }

// Announced returns tables with the announced columns they lack, which are NULL, and with the announced tables that are not
// among them, which are empty.
func Announced[T osquerygo.OsqueryPlugin](tables []T) []osquerygo.OsqueryPlugin {
	left := maps.Clone(announced)
	var all []osquerygo.OsqueryPlugin
	for _, t := range tables {
		routes := slices.Clone(t.Routes())
		for _, c := range left[t.Name()] {
			if !slices.ContainsFunc(routes, func(r map[string]string) bool { return r["name"] == c.name }) {
				routes = append(routes, map[string]string{"id": "column", "name": c.name, "type": c.kind, "op": "8"})
			}
		}
		delete(left, t.Name())
		all = append(all, widened{t, routes})
	}
	for name, list := range left {
		var definitions []table.ColumnDefinition
		for _, c := range list {
			definitions = append(definitions, table.NewColumn(c.name, table.ColumnType(c.kind), table.OptimizedColumn()))
		}
		all = append(all, table.NewPlugin(name, definitions, func(context.Context, table.QueryContext) ([]map[string]string, error) {
			return nil, nil
		}))
	}
	return all
}
