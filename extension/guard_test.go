package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	osquery "github.com/osquery/osquery-go"
	"github.com/osquery/osquery-go/plugin/table"
	"github.com/stretchr/testify/require"
)

func tableThat(generate table.GenerateFunc) osquery.OsqueryPlugin {
	return table.NewPlugin("t", []table.ColumnDefinition{table.TextColumn("a")}, generate)
}

var generateRequest = map[string]string{"action": "generate", "context": "{}"}

func TestGuardAnswersForAPanic(t *testing.T) {
	var failed error
	g := guard(tableThat(func(context.Context, table.QueryContext) ([]map[string]string, error) { panic("boom") }),
		freely, func(err error) { failed = err })
	response := g.Call(t.Context(), generateRequest)
	require.EqualValues(t, 1, response.Status.Code)
	require.Equal(t, "t: panic: boom", response.Status.Message)
	require.ErrorContains(t, failed, "guard_test.go", "the log has the stack")
}

func TestGuardBoundsTimeAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := guard(tableThat(func(context.Context, table.QueryContext) ([]map[string]string, error) {
			<-release
			return nil, nil
		}), freely, func(error) {})
		var calls sync.WaitGroup
		for range tableCalls {
			calls.Go(func() {
				require.Contains(t, g.Call(t.Context(), generateRequest).Status.Message, "no answer within 20s")
			})
		}
		synctest.Wait()
		require.Contains(t, g.Call(t.Context(), generateRequest).Status.Message, "4 calls are already running")
		calls.Wait()
		close(release)
		synctest.Wait()
		require.EqualValues(t, 0, g.Call(t.Context(), generateRequest).Status.Code, "the slots are free again")
	})
}

func TestGuardPassesRowsOn(t *testing.T) {
	g := guard(tableThat(func(context.Context, table.QueryContext) ([]map[string]string, error) {
		return []map[string]string{{"a": "1"}}, nil
	}), freely, func(error) {})
	g.timeout = time.Minute
	response := g.Call(t.Context(), generateRequest)
	require.EqualValues(t, 0, response.Status.Code)
	require.Equal(t, "1", response.Response[0]["a"])
}
