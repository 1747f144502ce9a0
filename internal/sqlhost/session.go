package sqlhost

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// Bounds of one SQLite connection, by sqlite3_limit.
const (
	maxValueBytes     = 16 << 20
	maxStatementBytes = 1 << 20
	maxLikePattern    = 1000 // matching is not interruptible
)

// session is one SQLite connection with the host's tables attached. One statement at a time uses it; the fields below the
// line belong to that statement.
type session struct {
	host     *Host
	id       int64
	conn     *sql.Conn
	attached map[string]*relation // by lower-case name
	policy   policy
	cancel   context.CancelCauseFunc // ends the running statement; guarded by host.mu

	// ---
	ctx       context.Context
	sql       string
	lists     []inList
	attaching *relation
	raw       driver.QueryerContext
	result    result
	resultErr error
	tableErr  error // why a table call failed, kept apart from SQLite's wording of it
}

// withSession runs f with a session that has the current tables, once a slot is free and within QueryTimeout.
func (h *Host) withSession(ctx context.Context, f func(context.Context, *session) error) error {
	ctx, cancelTimeout := context.WithTimeoutCause(ctx, h.config.QueryTimeout,
		fmt.Errorf("the statement ran longer than %v", h.config.QueryTimeout))
	defer cancelTimeout()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return fmt.Errorf("%d statements are running: %w", cap(h.slots), context.Cause(ctx))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := h.takeSession(ctx, cancel)
	if err != nil {
		return err
	}
	err = s.protect(ctx, f)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	h.returnSession(s, err)
	return err
}

// protect turns a panic under f into an error that makes the session unusable.
func (s *session) protect(ctx context.Context, f func(context.Context, *session) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v", errBroken, r)
		}
	}()
	s.ctx, s.tableErr = ctx, nil
	if err := s.attach(ctx); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return f(ctx, s)
}

// errBroken marks an error after which a session must not be used again.
var errBroken = errors.New("sqlite connection lost")

func (h *Host) takeSession(ctx context.Context, cancel context.CancelCauseFunc) (*session, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, ErrClosed
	}
	if last := len(h.idle) - 1; last >= 0 {
		s := h.idle[last]
		h.idle = h.idle[:last]
		s.cancel = cancel
		h.mu.Unlock()
		return s, nil
	}
	h.nextID++
	s := &session{host: h, id: h.nextID, attached: map[string]*relation{}, cancel: cancel}
	h.sessions[s.id] = s
	h.mu.Unlock()
	if err := s.open(ctx); err != nil {
		h.discard(s)
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	return s, nil
}

func (h *Host) returnSession(s *session, err error) {
	s.ctx, s.sql, s.lists, s.result, s.resultErr = nil, "", nil, nil, nil
	h.mu.Lock()
	s.cancel = nil
	keep := !h.closed && !errors.Is(err, errBroken)
	if keep {
		h.idle = append(h.idle, s)
	}
	h.mu.Unlock()
	if !keep {
		h.discard(s)
	}
}

// discard closes the session's connection and forgets it.
func (h *Host) discard(s *session) {
	h.mu.Lock()
	delete(h.sessions, s.id)
	h.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // which makes the pool close it
		_ = s.conn.Close()
	}
}

func (h *Host) session(id int64) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id]
}

func (s *session) open(ctx context.Context) error {
	var err error
	if s.conn, err = s.host.db.Conn(ctx); err != nil {
		return err
	}
	for id, value := range map[int]int{
		sqlite3.SQLITE_LIMIT_LENGTH:              maxValueBytes,
		sqlite3.SQLITE_LIMIT_SQL_LENGTH:          maxStatementBytes,
		sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: maxLikePattern,
		sqlite3.SQLITE_LIMIT_ATTACHED:            0,
	} {
		if _, err := sqlite.Limit(s.conn, id, value); err != nil {
			return err
		}
	}
	// sorting happens in memory: rows of a security tool do not belong in temporary files
	if _, err := s.conn.ExecContext(ctx, "PRAGMA temp_store = MEMORY"); err != nil {
		return err
	}
	return s.conn.Raw(func(conn any) error {
		return conn.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(s.policy.authorize)
	})
}

// attach makes the connection's tables those of the host's catalog. A table SQLite will not have is logged and left out.
func (s *session) attach(ctx context.Context) error {
	want := s.host.currentCatalog().tables
	for key, t := range s.attached {
		if want[key] == t {
			continue
		}
		if err := s.administer(ctx, "DROP TABLE temp."+quoteIdentifier(t.name)); err != nil {
			return err
		}
		delete(s.attached, key)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if s.attached[key] != nil {
			continue
		}
		t := want[key]
		s.attaching = t
		err := s.administer(ctx, fmt.Sprintf("CREATE VIRTUAL TABLE temp.%s USING %s(%d)", quoteIdentifier(t.name), moduleName, s.id))
		s.attaching = nil
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			s.host.config.Logger.Warn("sqlite refuses a table", "table", t.name, "err", err)
		default:
			s.attached[key] = t
		}
	}
	return nil
}

func (s *session) administer(ctx context.Context, statement string) error {
	s.policy.administering = true
	defer func() { s.policy.administering = false }()
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

// generate asks the table for rows. It is called by SQLite, within the running statement.
func (s *session) generate(t *relation, queryContext string, reads reading) (*wire.Rows, error) {
	rows, err := t.guard.generate(s.ctx, queryContext, reads)
	if err != nil {
		s.tableErr = err
	}
	return rows, err
}

// listWith returns the statement's IN list on a column of that name that holds value, or nil.
func (s *session) listWith(column, value string) []string { return listFor(s.lists, column, value) }
