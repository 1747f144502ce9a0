// Package schedule runs a pack of queries the way osqueryd's scheduler does, on a clock that the test holds, and writes what
// osqueryd's filesystem logger would write: differential results to one file, snapshots to another. The queries are answered
// by anything that answers SQL, an embedded host or a client of an extension socket.
//
// Semantics and formats are those of osquery 5 (osquery/dispatcher/scheduler.cpp, core/query.cpp, core/sql/diff_results.cpp,
// logger/logger.cpp): the first result of a query, and the first one of a new epoch, is a dump of all its rows as added rows
// with counter 0 and without removed rows; a query whose text changed goes on comparing with what it gave before, from
// counter 0; a run that changes nothing logs nothing and does not count; rows are compared as a multiset, all columns at
// once; removed rows stand before added ones; snapshots are logged even if they are empty, with counter 0.
//
// Left out, because no log shows it: decorators that run queries, discovery, denylisting, event-based tables, the watchdog.
package schedule

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// Querier answers SQL: *sqlhost.Host and *shell.Client do. Columns is asked only with Config.Numerics.
type Querier interface {
	Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error)
	Columns(ctx context.Context, sql string) (names, types []string, err error)
}

// Config is one daemon. Host, Querier, Results and Snapshots are required.
type Config struct {
	Host      string    // --host_identifier
	Querier   Querier   // who answers
	Results   io.Writer // osqueryd.results.log
	Snapshots io.Writer // osqueryd.snapshots.log
	Packs     []Pack    // in the order in which they run
	// Database is what survives a restart, osqueryd's RocksDB; nil is a new one, as after a loss of it.
	Database *Database
	Epoch    uint64 // --schedule_epoch
	// Numerics logs numbers as JSON numbers, --logger_numerics. SnapshotEvents logs a line for each row of a snapshot,
	// --logger_snapshot_event_type; Batched one line for all rows of a differential result, --logger_event_type=false.
	Numerics, SnapshotEvents, Batched bool
	Decorations                       map[string]string
	// Splay spreads the intervals by up to this percentage, --schedule_splay_percent; osqueryd draws it at random and never
	// takes less than 2, this takes it from the names of host and query, and 0 is none.
	Splay int
	// Name is how a query of a pack is called in the log; nil is pack_<pack>_<query>. Fleet calls them
	// pack/Global/<query> and pack/team-<id>/<query>.
	Name func(pack, query string) string
	// Advance, if not nil, is told of each second before what is due in it runs.
	Advance func(now time.Time)
}

// Daemon runs a schedule. It is used by one goroutine.
type Daemon struct {
	config Config
	due    []scheduled
	last   time.Time // the second Run has reached
	logged int
}

type scheduled struct {
	Query
	name    string
	splayed int64 // seconds
}

// New returns a daemon that has run nothing yet.
func New(config Config) *Daemon {
	if config.Database == nil {
		config.Database = NewDatabase()
	}
	if config.Name == nil {
		config.Name = func(pack, query string) string { return "pack_" + pack + "_" + query }
	}
	d := &Daemon{config: config}
	for _, p := range config.Packs {
		for _, q := range p.Queries {
			name := config.Name(p.Name, q.Name)
			d.due = append(d.due, scheduled{q, name, splay(config.Host+"\x00"+name, q.Interval, config.Splay)})
		}
	}
	return d
}

// splay moves an interval by up to percent of itself, always the same way for the same key.
func splay(key string, interval int64, percent int) int64 {
	most := interval * int64(percent) / 100
	if most == 0 {
		return interval
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	return max(1, interval-most+int64(h.Sum64()%uint64(2*most+1)))
}

// Run runs what is due in each second after the one it has reached, or from the first second of its first call, up to and
// including the second of until. osqueryd runs a query when the epoch second is a multiple of its splayed interval.
func (d *Daemon) Run(ctx context.Context, from, until time.Time) error {
	if d.last.IsZero() {
		d.last = from.Add(-time.Second)
	}
	for now := d.last.Add(time.Second); !now.After(until); now = now.Add(time.Second) {
		if d.config.Advance != nil {
			d.config.Advance(now)
		}
		for i := range d.due {
			if now.Unix()%d.due[i].splayed != 0 {
				continue
			}
			if err := d.run(ctx, &d.due[i], now); err != nil {
				return err
			}
		}
		d.last = now
	}
	return nil
}

// RunAll runs every query once, at now, whatever its interval.
func (d *Daemon) RunAll(ctx context.Context, now time.Time) error {
	for i := range d.due {
		if err := d.run(ctx, &d.due[i], now); err != nil {
			return err
		}
	}
	return nil
}

// Logged is the number of lines written so far.
func (d *Daemon) Logged() int { return d.logged }

// run runs one query and logs what it gave. osqueryd logs a failing query in its own log and goes on; here it is an error.
func (d *Daemon) run(ctx context.Context, q *scheduled, now time.Time) error {
	columns, values, err := d.config.Querier.Query(ctx, q.SQL)
	if err != nil {
		return fmt.Errorf("scheduled query %s: %w", q.name, err)
	}
	var numeric []bool
	if d.config.Numerics {
		if numeric, err = d.numeric(ctx, q); err != nil {
			return err
		}
	}
	rows := make([]row, len(values))
	for i, v := range values {
		rows[i] = newRow(columns, v, numeric)
	}
	item := item{config: &d.config, name: q.name, at: now}
	if q.Snapshot {
		n, err := item.logSnapshot(rows)
		d.logged += n
		return err
	}
	change := d.config.Database.compare(q.name, q.SQL, d.config.Epoch, rows)
	if !q.Removed {
		change.removed = nil
	}
	item.counter = change.counter
	n, err := item.logDifferential(change)
	d.logged += n
	return err
}

// numeric says which columns of a query are numbers by their declared type.
func (d *Daemon) numeric(ctx context.Context, q *scheduled) ([]bool, error) {
	_, types, err := d.config.Querier.Columns(ctx, q.SQL)
	if err != nil {
		return nil, fmt.Errorf("columns of scheduled query %s: %w", q.name, err)
	}
	numeric := make([]bool, len(types))
	for i, t := range types {
		numeric[i] = t == "INTEGER" || t == "BIGINT" || t == "UNSIGNED BIGINT" || t == "DOUBLE"
	}
	return numeric, nil
}
