package sqlhost

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

// TestBadTablesDoNoHarm gives SQL tables that misbehave, and asks a good one after each.
func TestBadTablesDoNoHarm(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	status := func(code int32, message string) *osquery.ExtensionStatus {
		return &osquery.ExtensionStatus{Code: code, Message: message}
	}
	for name, test := range map[string]struct {
		answer func(context.Context) osquery.ExtensionResponse
		want   string
	}{
		"panics":    {func(context.Context) osquery.ExtensionResponse { panic("boom") }, "table bad: panic: boom"},
		"no status": {func(context.Context) osquery.ExtensionResponse { return osquery.ExtensionResponse{} }, "table bad: the response has no status"},
		"fails": {func(context.Context) osquery.ExtensionResponse {
			return osquery.ExtensionResponse{Status: status(1, "disk on fire")}
		}, "table bad: disk on fire"},
		"fails without a word": {func(context.Context) osquery.ExtensionResponse {
			return osquery.ExtensionResponse{Status: status(3, "")}
		}, "table bad: status 3"},
		"hangs": {func(context.Context) osquery.ExtensionResponse {
			<-release
			return osquery.ExtensionResponse{}
		}, "table bad did not answer within 30ms"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Config{Timeout: 30 * time.Millisecond}, &rawTable{name: "bad", routes: textRoutes("x"), answer: test.answer}, numbersTable("good", 1))
			_, _, err := h.Query(t.Context(), "SELECT * FROM bad")
			require.EqualError(t, err, test.want)
			require.Len(t, query(t, h, "SELECT * FROM good"), 1)
		})
	}
}

func TestOddRowsAreTolerated(t *testing.T) {
	odd := &rawTable{name: "odd", routes: textRoutes("a", "b"), answer: func(context.Context) osquery.ExtensionResponse {
		return osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{}, Response: []map[string]string{
			nil, {"b": "2", "unasked": "x"}, {"a": "\xff\x1b[2J"},
		}}
	}}
	h := newHost(t, Config{}, odd)
	require.Equal(t, [][]string{{"", ""}, {"", "2"}, {"\xff\x1b[2J", ""}}, query(t, h, "SELECT a, b FROM odd"))
	require.Equal(t, [][]string{{"2"}}, query(t, h, "SELECT count(*) FROM odd WHERE a IS NULL"), "a missing value is NULL")
}

// TestHungCallsAreBounded shows that a table whose calls never return keeps MaxConcurrent goroutines, no more.
func TestHungCallsAreBounded(t *testing.T) {
	release := make(chan struct{})
	hung := &rawTable{name: "hung", routes: textRoutes("x"), answer: func(context.Context) osquery.ExtensionResponse {
		<-release
		return osquery.ExtensionResponse{Status: &osquery.ExtensionStatus{}}
	}}
	h := newHost(t, Config{Timeout: 20 * time.Millisecond, MaxConcurrent: 2}, hung)
	for range 2 {
		_, _, err := h.Query(t.Context(), "SELECT * FROM hung")
		require.EqualError(t, err, "table hung did not answer within 20ms")
	}
	guard := h.currentCatalog().lookup("hung").guard
	require.Len(t, guard.slots, 2)
	_, _, err := h.Query(t.Context(), "SELECT * FROM hung")
	require.EqualError(t, err, "table hung is busy: 2 calls have not returned")
	close(release)
	require.Eventually(t, func() bool { return len(guard.slots) == 0 }, 5*time.Second, time.Millisecond)
	require.Empty(t, query(t, h, "SELECT * FROM hung"))
}

func TestRegisterTableRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		table Table
		want  string
	}{
		"taken name":     {numbersTable("time", 1), "sqlhost: register: table time is already registered"},
		"no columns":     {&rawTable{name: "x"}, "sqlhost: register: table x: there are no columns"},
		"sqlite's name":  {numbersTable("sqlite_master", 1), `sqlhost: register: "sqlite_master" is not a table name`},
		"a column twice": {&rawTable{name: "x", routes: textRoutes("a", "A")}, `sqlhost: register: table x: column "A" is there twice`},
		"no column name": {&rawTable{name: "x", routes: textRoutes("")}, `sqlhost: register: table x: "" is not a column name`},
		"long column":    {&rawTable{name: "x", routes: textRoutes(strings.Repeat("x", 256))}, `sqlhost: register: table x: "` + strings.Repeat("x", 40) + `" is not a column name`},
		"many columns":   {&rawTable{name: "x", routes: manyRoutes(2001)}, "sqlhost: register: table x: 2001 columns are more than 2000"},
		"no table":       {notATable{numbersTable("x", 1)}, `sqlhost: register x: registry is "logger", not table`},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, newHost(t, Config{}).RegisterTable(test.table), test.want)
		})
	}
	h := newHost(t, Config{}, &rawTable{name: "x", routes: manyRoutes(2000)}, &rawTable{name: "y", routes: textRoutes(`odd "name`, "select")})
	columns, _, err := h.Query(t.Context(), "SELECT * FROM y")
	require.NoError(t, err)
	require.Equal(t, []string{`odd "name`, "select"}, columns)
	columns, _, err = h.Query(t.Context(), "SELECT * FROM x")
	require.NoError(t, err)
	require.Len(t, columns, 2000)
}
