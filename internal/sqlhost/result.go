package sqlhost

import (
	"database/sql/driver"
	"fmt"
	"strconv"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// maxResultBytes bounds the text of a result. Thrift clients refuse messages above 100 MiB anyway.
const maxResultBytes = 256 << 20

// result takes what a statement returns.
type result interface {
	begin(columns []string)
	add(values []driver.Value) error // values are reused
}

// listed is a result for callers in this process.
type listed struct {
	columns []string
	rows    [][]string
	bytes   int
	latest  []number // of each column
	room    []string // for rows to come
}

// number is a value that is no text yet, and its text. Rows repeat many of the one before.
type number struct {
	value driver.Value
	text  string
}

// roomRows is how many rows are made room for at once.
const roomRows = 64

func (l *listed) begin(columns []string) {
	l.columns, l.latest = columns, make([]number, len(columns))
}

func (l *listed) add(values []driver.Value) error {
	if len(l.room) < len(values) {
		l.room = make([]string, len(values)*min(len(l.rows)+1, roomRows))
	}
	row := l.room[:len(values):len(values)]
	l.room = l.room[len(values):]
	for i, v := range values {
		row[i] = l.text(i, v)
		l.bytes += len(row[i])
	}
	if l.bytes > maxResultBytes {
		return fmt.Errorf("%w: more than %d MiB; name fewer columns or add a LIMIT", ErrTooLarge, maxResultBytes>>20)
	}
	l.rows = append(l.rows, row)
	return nil
}

// text is the text of a value in a column.
func (l *listed) text(column int, v driver.Value) string {
	switch v.(type) {
	case int64, float64:
		latest := &l.latest[column]
		if latest.value != v {
			*latest = number{v, text(v)}
		}
		return latest.text
	}
	return text(v)
}

// sent is a result for a client of the socket: in the form in which it travels.
type sent struct {
	rows   *wire.Rows
	digits []byte
}

func (s *sent) begin(columns []string) { s.rows = wire.List(columns) }

func (s *sent) add(values []driver.Value) error {
	s.rows.Next()
	for place, v := range values {
		switch v := v.(type) {
		case string:
			s.rows.Put(place, v)
		case []byte:
			s.rows.PutBytes(place, v)
		case int64:
			s.digits = strconv.AppendInt(s.digits[:0], v, 10)
			s.rows.PutBytes(place, s.digits)
		default:
			s.rows.Put(place, text(v))
		}
	}
	if err := s.rows.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return nil
}
