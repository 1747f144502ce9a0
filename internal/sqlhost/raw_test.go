package sqlhost

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"context"

	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

// rawTable answers what it is told to, below osquery-go's manners, and keeps the JSON it was asked with.
type rawTable struct {
	name   string
	routes osquery.ExtensionPluginResponse
	answer func(ctx context.Context) osquery.ExtensionResponse

	mu      sync.Mutex
	context string
}

func (t *rawTable) Name() string                            { return t.name }
func (t *rawTable) RegistryName() string                    { return "table" }
func (t *rawTable) Routes() osquery.ExtensionPluginResponse { return t.routes }

func (t *rawTable) Call(ctx context.Context, request osquery.ExtensionPluginRequest) osquery.ExtensionResponse {
	t.mu.Lock()
	t.context = request["context"]
	t.mu.Unlock()
	if t.answer == nil {
		return osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{}}
	}
	return t.answer(ctx)
}

func textRoutes(columns ...string) osquery.ExtensionPluginResponse {
	var routes osquery.ExtensionPluginResponse
	for _, c := range columns {
		routes = append(routes, map[string]string{"id": "column", "name": c, "type": "TEXT", "op": "0"})
	}
	return routes
}

func mustGlob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return found
}

func manyRoutes(n int) osquery.ExtensionPluginResponse {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	return textRoutes(names...)
}

type notATable struct{ Table }

func (notATable) RegistryName() string { return "logger" }

func answerRows(rows ...map[string]string) func(context.Context) osquery.ExtensionResponse {
	return func(context.Context) osquery.ExtensionResponse {
		return osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{}, Response: rows}
	}
}
