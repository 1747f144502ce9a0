package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/logfile"
)

// MaxLine bounds a line, which may hold all rows of a snapshot.
const MaxLine = 32 << 20

// Stats counts what became of the lines and rows.
type Stats struct {
	logfile.Faults
	Lines      uint64 // that could be read
	Skipped    uint64 // of osquery's status log
	Rows       uint64 // new in the store
	Duplicates uint64 // that it had already
}

// loading is the state of a Store that loads.
type loading struct {
	decoder   *decoder
	stats     Stats
	arguments []any
	done      atomic.Int64
	total     atomic.Int64
}

func newLoading() loading { return loading{decoder: newDecoder()} }

// Load adds the rows of a file, plain, gzip or zstd; "-" is stdin. A line that cannot be read is counted in Stats and left
// out; a file that breaks off is such a line. Rows that the store has already change nothing: a file may be loaded twice, in
// parts, or in any order. On an error nothing of the file is in the store.
func (s *Store) Load(ctx context.Context, path string, stdin io.Reader) error {
	if stdin == nil {
		stdin = os.Stdin
	}
	file, err := logfile.Open(path, stdin, &s.done)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	s.total.Add(file.Size)
	before := s.stats
	if err := s.load(ctx, path, logfile.NewLines(file, MaxLine)); err != nil {
		s.stats = before
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// load reads all lines in one transaction.
func (s *Store) load(ctx context.Context, path string, lines *logfile.Lines) error {
	tx, err := s.db.BeginTx(context.WithoutCancel(ctx), nil) // cancelled it would end behind our back, after Close
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit this does nothing
	insert := tx.StmtContext(ctx, s.insert)
	emit := func(r row) error {
		result, err := insert.ExecContext(ctx, s.values(r)...)
		if err != nil {
			return storeError{err}
		}
		n, err := result.RowsAffected()
		if err != nil {
			return storeError{err}
		}
		s.stats.Rows += uint64(n)
		s.stats.Duplicates += 1 - uint64(n)
		return nil
	}
	for {
		line, err := lines.Next()
		switch {
		case err == io.EOF:
			s.stats.Skipped = s.decoder.skipped
			return tx.Commit()
		case errors.Is(err, logfile.ErrTooLong):
			s.stats.Fault(path, lines.Number, err)
			continue
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			s.stats.Fault(path, lines.Number, err)
			s.stats.Skipped = s.decoder.skipped
			return tx.Commit()
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		err = s.decoder.decode(line, emit)
		var failed storeError
		switch {
		case errors.As(err, &failed):
			return failed.error
		case err != nil:
			s.stats.Fault(path, lines.Number, err)
		default:
			s.stats.Lines++
		}
	}
}

// values are the arguments of the insert, in the order of the columns. The slice is reused.
func (s *Store) values(r row) []any {
	hash, utc := r.cells.hash(), utcOf(r.Time)
	s.arguments = append(s.arguments[:0], r.Time, utc, utc[:len(time.DateOnly)], r.Host, r.Name, r.Query, r.Action, r.cells.kind(), r.Epoch, r.Counter)
	s.arguments = append(s.arguments, r.cells.values...)
	return append(s.arguments, string(r.cells.json), hash[:])
}

// utcOf writes a time as 2026-11-28 04:55:01, its first ten characters being the day.
func utcOf(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.DateTime) }

// Progress returns how many bytes of the files have been read and how many there are, compressed where they are, as far as
// they have been opened. It may be called at any time.
func (s *Store) Progress() (read, total int64) { return s.done.Load(), s.total.Load() }

// Stats returns what has become of the input so far.
func (s *Store) Stats() Stats { return s.stats }
