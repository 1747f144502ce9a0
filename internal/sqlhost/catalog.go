package sqlhost

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// Table is a table served in this process. *table.Plugin of osquery-go is one. Call may be called concurrently and may
// outlive its context: a call that does not return in time is given up and its late answer dropped.
type Table interface {
	Name() string
	RegistryName() string
	Routes() osquery.ExtensionPluginResponse
	Call(context.Context, osquery.ExtensionPluginRequest) osquery.ExtensionResponse
}

// local is a table of this process as a source.
type local struct{ table Table }

func (l local) call(ctx context.Context, request osquery.ExtensionPluginRequest) (wire.Answer, error) {
	return wire.Ask(ctx, l.table, request), nil
}

func (l local) rows(ctx context.Context, request osquery.ExtensionPluginRequest, reads reading) (*osquery.ExtensionStatus, *wire.Rows, error) {
	answer := wire.Ask(ctx, l.table, request)
	return answer.Status, answer.Held(reads.table.names, reads.used), nil
}

// relation is what the host knows of a registered table. It is never changed after it is in a catalog.
type relation struct {
	name    string
	owner   osquery.ExtensionRouteUUID // 0: served in this process
	columns []column
	index   map[string]int // of columns, by name
	names   *wire.Columns
	schema  string // what SQLite is told
	context contextBuilder
	guard   *guard
}

// catalog is an immutable set of tables by lower-case name, which is how SQLite compares them.
type catalog struct {
	tables map[string]*relation
}

func (c *catalog) lookup(name string) *relation { return c.tables[strings.ToLower(name)] }

func (c *catalog) with(added []*relation) (*catalog, error) {
	next := maps.Clone(c.tables)
	for _, t := range added {
		key := strings.ToLower(t.name)
		if next[key] != nil {
			return nil, fmt.Errorf("table %s is already registered", t.name)
		}
		next[key] = t
	}
	return &catalog{next}, nil
}

func (c *catalog) without(owner osquery.ExtensionRouteUUID) *catalog {
	next := maps.Clone(c.tables)
	maps.DeleteFunc(next, func(_ string, t *relation) bool { return t.owner == owner })
	return &catalog{next}
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

func (h *Host) newTable(name string, owner osquery.ExtensionRouteUUID, routes osquery.ExtensionPluginResponse, s source) (*relation, error) {
	if !tableName.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		return nil, fmt.Errorf("%q is not a table name", name)
	}
	columns, err := parseColumns(routes, !h.config.NoDefaultIndex)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	names, index := make([]string, len(columns)), make(map[string]int, len(columns))
	for i, c := range columns {
		names[i], index[c.name] = c.name, i
	}
	return &relation{
		name:    name,
		owner:   owner,
		columns: columns,
		index:   index,
		names:   wire.NewColumns(names),
		schema:  declare(columns),
		context: newContextBuilder(columns),
		guard:   newGuard(name, h.config.Timeout, h.config.MaxConcurrent, s),
	}, nil
}

// RegisterTable adds a table served in this process. Statements that start after it returns see the table. It fails when
// the name is taken or not an SQL name, or when the routes have no columns.
func (h *Host) RegisterTable(t Table) error {
	if r := t.RegistryName(); r != "table" {
		return fmt.Errorf("sqlhost: register %s: registry is %q, not table", t.Name(), r)
	}
	added, err := h.newTable(t.Name(), 0, t.Routes(), local{t})
	if err != nil {
		return fmt.Errorf("sqlhost: register: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	next, err := h.catalog.with([]*relation{added})
	if err != nil {
		return fmt.Errorf("sqlhost: register: %w", err)
	}
	h.catalog = next
	return nil
}

func (h *Host) currentCatalog() *catalog {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.catalog
}
