// Package sqlhost is an embedded osquery: it speaks osquery's extension protocol (the Thrift ExtensionManager service on a
// Unix socket) and answers SQL with SQLite, over tables served in this process or by extensions that registered over the
// socket. Queries, constraints and values pass as they do in osquery, so a table that works here works there.
//
// It does not schedule queries, log results, read configuration or provide osquery's own tables beyond osquery_info,
// osquery_extensions, osquery_registry and time. SQL is read-only.
package sqlhost

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/osquery/osquery-go/gen/osquery"
	"modernc.org/sqlite"
)

var (
	// ErrClosed is returned by every method of a Host after Close.
	ErrClosed = errors.New("sqlhost: the host is closed")
	// ErrTooLarge is returned when a result would pass Config.MaxRows or the byte bound.
	ErrTooLarge = errors.New("result is too large")
)

// Config holds the bounds of a Host. The zero value is usable: each field's zero means its default.
type Config struct {
	// Name and Version are what osquery_info and osquery_extensions say about this host.
	Name, Version string
	// Timeout bounds one call of one table, or one ping of an extension. Default 10 s.
	Timeout time.Duration
	// QueryTimeout bounds one statement. Default 1 min.
	QueryTimeout time.Duration
	// PingInterval is how often registered extensions are pinged, osquery's --extensions_interval. Default 3 s.
	PingInterval time.Duration
	// MaxConcurrent bounds statements that run at once; more wait. It also bounds the calls of one table that have not
	// returned; more are refused. Default 4.
	MaxConcurrent int
	// MaxRows bounds the rows of a result. Default 1 000 000.
	MaxRows int
	// MaxExtensions bounds the extensions registered at once. Default 32.
	MaxExtensions int
	// NoDefaultIndex leaves columns without options unindexed, as osquery's --extensions_default_index=false does.
	NoDefaultIndex bool
	// Around is called with each exchange of a client of Serve, from waiting for a request to having sent the answer, and must run
	// it, once and on the same goroutine, for instance to measure it. Default: it is run. The calls of tables that it makes are
	// not on that goroutine.
	Around func(run func())
	// Logger receives registrations and dropped extensions. Default: discarded.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Timeout < 0 || c.QueryTimeout < 0 || c.PingInterval < 0 || c.MaxConcurrent < 0 || c.MaxRows < 0 || c.MaxExtensions < 0 {
		return c, errors.New("sqlhost: a bound in the configuration is negative")
	}
	setDefault(&c.Name, "sqlhost")
	setDefault(&c.Version, "0.0.0")
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.QueryTimeout, time.Minute)
	setDefault(&c.PingInterval, 3*time.Second)
	setDefault(&c.MaxConcurrent, 4)
	setDefault(&c.MaxRows, 1_000_000)
	setDefault(&c.MaxExtensions, 32)
	if c.Around == nil {
		c.Around = func(run func()) { run() }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Host runs SQL over registered tables and, while Serve runs, answers osquery's protocol. All methods may be called
// concurrently. Several Hosts in one process do not see each other.
type Host struct {
	config  Config
	started time.Time
	driver  sqlite.Driver
	db      *sql.DB
	slots   chan struct{} // one token per running statement

	mu         sync.Mutex
	closed     bool
	catalog    *catalog // replaced, never changed
	extensions map[osquery.ExtensionRouteUUID]*extension
	sessions   map[int64]*session // every open session by the id its tables were created with
	idle       []*session
	sockets    []string // being served
	nextID     int64
}

// New returns a Host with osquery's minimal own tables registered. Close releases it.
func New(config Config) (*Host, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Host{
		config:     config,
		started:    time.Now(),
		slots:      make(chan struct{}, config.MaxConcurrent),
		catalog:    &catalog{tables: map[string]*relation{}},
		extensions: map[osquery.ExtensionRouteUUID]*extension{},
		sessions:   map[int64]*session{},
	}
	if err := h.driver.RegisterModule(moduleName, module{h}); err != nil {
		return nil, fmt.Errorf("sqlhost: %w", err)
	}
	if err := h.driver.RegisterScalarFunction(runFunction, 1, h.runNested); err != nil {
		return nil, fmt.Errorf("sqlhost: %w", err)
	}
	h.db = sql.OpenDB(connector{&h.driver})
	for _, t := range h.coreTables() {
		if err := h.RegisterTable(t); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Close ends running statements with ErrClosed and closes SQLite. It does not wait for a Serve: cancel its context. The
// SQLite driver keeps the Host itself, some kilobytes, for the life of the process.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	idle := h.idle
	h.idle = nil
	for _, s := range h.sessions {
		if s.cancel != nil {
			s.cancel(ErrClosed)
		}
	}
	h.mu.Unlock()
	for _, s := range idle {
		h.discard(s)
	}
	_ = h.db.Close() // connections of statements that still end are closed as they are given back
}

// Query runs one read-only SQL statement. Columns are in statement order, each row has one value per column, as osquery
// renders it: NULL is the empty string. The error names an unknown column or table in SQLite's words. ctx ends the
// statement, wherever it is.
func (h *Host) Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error) {
	var l listed
	if err := h.query(ctx, sql, &l); err != nil {
		return nil, nil, err
	}
	return l.columns, l.rows, nil
}

func (h *Host) query(ctx context.Context, sql string, r result) error {
	return h.withSession(ctx, func(ctx context.Context, s *session) error { return s.run(ctx, sql, r) })
}

// Columns returns the names and osquery types of the columns a statement would return, in order, without running it.
// An expression's type is "UNKNOWN".
func (h *Host) Columns(ctx context.Context, sql string) (names, types []string, err error) {
	err = h.withSession(ctx, func(_ context.Context, s *session) error {
		names, types, err = s.columns(sql)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return names, types, nil
}

type connector struct{ driver *sqlite.Driver }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(":memory:") }
func (c connector) Driver() driver.Driver                        { return c.driver }
