package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// DefaultSilent is after how long without a line a host counts as silent: three rounds of the hourly queries.
const DefaultSilent = 3 * time.Hour

const (
	cacheKiB       = 32 << 10 // of SQLite's pages, which take twice that with what is around them
	defaultMaxRows = 1_000_000
)

// Config is where a Store keeps its rows and how it answers. The zero value is usable.
type Config struct {
	// Path is a database to make or to add to. Empty is a temporary one, which is gone with the Store.
	Path string
	// Now is what rollups take for the present, epoch seconds; 0 is the time of the newest row.
	Now int64
	// Silent is after how long without a line a host is silent; 0 is DefaultSilent.
	Silent time.Duration
	// Views is SQL that is run over the tables when the database is opened: what rollups share.
	Views string
	// MaxRows bounds the rows of an answer; 0 is 1 000 000.
	MaxRows int
}

// Store holds rows of results, each once, and answers SQL over them. It is used by one goroutine, but for Progress.
type Store struct {
	config Config
	db     *sql.DB
	insert *sql.Stmt
	loading
}

// Open makes or opens the database. Loading takes bounded memory whatever is loaded: a page cache
// of 32 MiB and one line. A query takes as much again for each sort, and the rows of its answer.
func Open(ctx context.Context, config Config) (*Store, error) {
	if config.MaxRows <= 0 {
		config.MaxRows = defaultMaxRows
	}
	if config.Silent <= 0 {
		config.Silent = DefaultSilent
	}
	path, temporary := config.Path, config.Path == ""
	if temporary {
		dir, err := os.MkdirTemp("", "beaconwatch-fleet-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) // SQLite goes on with the file it has open
		path = filepath.Join(dir, "results.db")
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // a temporary database has one connection, and nothing here runs side by side
	s := &Store{config: config, db: db, loading: newLoading()}
	if err := s.prepare(ctx, temporary); err != nil {
		db.Close()
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return s, nil
}

// escapePath keeps a path from being read as a URI's query or fragment.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func (s *Store) prepare(ctx context.Context, temporary bool) error {
	pragmas := fmt.Sprintf("PRAGMA cache_size = -%d; PRAGMA locking_mode = EXCLUSIVE;", cacheKiB)
	if temporary { // what a crash would leave is nobody's
		pragmas += "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	}
	schema, err := Schema("sqlite")
	if err != nil {
		return err
	}
	version := crc32.ChecksumIEEE([]byte(schema)) >> 1 // the header has room for 31 bits
	if err := s.recognise(ctx, version); err != nil {
		return err
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	if _, err := s.db.ExecContext(ctx, pragmas+schema+marks+s.config.Views); err != nil {
		return err
	}
	names := []string{"unix_time", "utc", "day", "host", "name", "query", "action", "kind", "epoch", "counter"}
	for _, c := range Columns() {
		names = append(names, c.Name)
	}
	names = append(names, "columns", "row_hash")
	s.insert, err = s.db.PrepareContext(ctx, "INSERT OR IGNORE INTO beacon_results ("+strings.Join(names, ", ")+
		") VALUES (?"+strings.Repeat(", ?", len(names)-1)+")")
	return err
}

// applicationID marks our databases in SQLite's header: "beac".
const applicationID = 0x62656163

// recognise refuses a database that is not ours, or whose tables are those of another version.
func (s *Store) recognise(ctx context.Context, version uint32) error {
	var pages, application, found int64
	row := s.db.QueryRowContext(ctx, "SELECT page_count, application_id, user_version FROM pragma_page_count, pragma_application_id, pragma_user_version")
	if err := row.Scan(&pages, &application, &found); err != nil {
		return err
	}
	switch {
	case pages == 0:
		return nil
	case application != applicationID:
		return errors.New("is a database of something else")
	case found != int64(version):
		return errors.New("was made by another version: load the logs into a new one")
	}
	return nil
}

// Close closes the database; a temporary one is gone.
func (s *Store) Close() error { return s.db.Close() }

// settle writes what rollups read beside the rows.
func (s *Store) settle(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM beacon_settings;
INSERT INTO beacon_settings SELECT CASE WHEN ?1 > 0 THEN ?1 ELSE coalesce(max(unix_time), 0) END, ?2 FROM beacon_results;`,
		s.config.Now, int64(s.config.Silent/time.Second))
	return err
}

// ErrTooLarge is returned for an answer of more than Config.MaxRows rows.
var ErrTooLarge = errors.New("the answer has too many rows: add a LIMIT")

// Query runs one statement that only reads. NULL is the empty string.
func (s *Store) Query(ctx context.Context, statement string) (columns []string, rows [][]string, err error) {
	err = s.read(ctx, statement, func(found *sql.Rows) error {
		if columns, err = found.Columns(); err != nil {
			return err
		}
		values, pointers := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		for found.Next() {
			if len(rows) >= s.config.MaxRows {
				return ErrTooLarge
			}
			if err := found.Scan(pointers...); err != nil {
				return err
			}
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = v.String
			}
			rows = append(rows, row)
		}
		return found.Err()
	})
	if err != nil {
		return nil, nil, err
	}
	return columns, rows, nil
}

// Columns returns the names and declared types of a statement's columns.
func (s *Store) Columns(ctx context.Context, statement string) (names, types []string, err error) {
	err = s.read(ctx, statement, func(found *sql.Rows) error {
		columns, err := found.ColumnTypes()
		for _, c := range columns {
			names, types = append(names, c.Name()), append(types, c.DatabaseTypeName())
		}
		return err
	})
	return names, types, err
}

// read runs a statement on a connection that can change nothing.
func (s *Store) read(ctx context.Context, statement string, each func(*sql.Rows) error) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = ON"); err != nil {
		return err
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = OFF")
	found, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer found.Close()
	return each(found)
}
