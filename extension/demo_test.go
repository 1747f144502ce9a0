package main

import (
	"context"
	"strconv"
	"testing"

	osquery "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

// TestSettleWaitsForItsOwnSendersOnly: on a host where others go on, it must not wait for them to stop.
func TestSettleWaitsForItsOwnSendersOnly(t *testing.T) {
	asked, own := 0, []int{5, 6, 6, 6, 6, 6, 6, 6, 6, 6}
	host, err := newTableHost([]osquery.OsqueryPlugin{table.NewPlugin("beacon_candidates",
		[]table.ColumnDefinition{table.TextColumn("path"), table.IntegerColumn("beats")},
		func(context.Context, table.QueryContext) ([]map[string]string, error) {
			asked++
			return []map[string]string{{"path": "/demo/a", "beats": strconv.Itoa(own[asked-1])}, {"path": "/usr/bin/b", "beats": strconv.Itoa(100 * asked)}}, nil
		})}, nil)
	require.NoError(t, err)
	defer host.Close()
	require.NoError(t, settle(t.Context(), host, "/demo"))
	require.Equal(t, 3, asked)
}
