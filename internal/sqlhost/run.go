package sqlhost

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"modernc.org/sqlite"
)

// runFunction is the SQL function that runs a session's statement inside another statement.
//
// The driver ends a statement when its context ends only until the first row is there; after that, a row that takes
// forever takes forever. So the statement runs, all of it, within the first step of "SELECT run_nested(<session>)":
// sqlite3_interrupt, which the driver calls for that outer statement, ends every statement of the connection.
const runFunction = "run_nested"

// run runs one statement to its end or until ctx is done, and gives what it returns to result.
func (s *session) run(ctx context.Context, sql string, result result) error {
	if err := s.begin(sql); err != nil || statements(sql) == 0 {
		return err
	}
	s.result = result
	err := s.conn.Raw(func(conn any) error {
		s.raw = conn.(driver.QueryerContext)
		s.policy.nesting = true
		rows, err := s.raw.QueryContext(ctx, "SELECT "+runFunction+"("+strconv.FormatInt(s.id, 10)+")", nil)
		s.policy.nesting = false
		if err != nil {
			return err
		}
		return rows.Close()
	})
	if s.resultErr != nil {
		err = s.resultErr
	}
	return s.explain(err)
}

// begin prepares the session for sql, refusing what is not one statement.
func (s *session) begin(sql string) error {
	if strings.ContainsRune(sql, 0) {
		return errors.New("the statement contains a zero byte")
	}
	if len(sql) > maxStatementBytes {
		return fmt.Errorf("the statement is longer than %d bytes", maxStatementBytes)
	}
	if statements(sql) > 1 {
		return errors.New("one statement at a time, please: there is text after the first ;")
	}
	s.sql, s.lists = sql, findLists(sql)
	s.resultErr, s.tableErr = nil, nil
	s.policy.refused = ""
	return nil
}

// columns prepares sql and reads its columns.
func (s *session) columns(sql string) (names, types []string, err error) {
	if err := s.begin(sql); err != nil {
		return nil, nil, err
	}
	err = s.conn.Raw(func(conn any) error {
		infos, err := conn.(interface {
			ColumnInfo(string) ([]sqlite.ColumnInfo, error)
		}).ColumnInfo(sql)
		for _, info := range infos {
			names = append(names, info.Name)
			kind := strings.ToUpper(info.DeclType)
			if kind == "" {
				kind = typeUnknown
			}
			types = append(types, kind)
		}
		return err
	})
	return names, types, s.explain(err)
}

// runNested is runFunction: it runs the session's statement and keeps its rows.
func (h *Host) runNested(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	id, ok := args[0].(int64)
	s := h.session(id)
	if !ok || s == nil || !s.policy.nesting {
		return nil, errors.New("no session is running a statement")
	}
	s.policy.nesting = false
	s.resultErr = s.collect()
	return nil, nil
}

func (s *session) collect() error {
	rows, err := s.raw.QueryContext(context.Background(), s.sql, nil) // the outer statement has the context
	if err != nil {
		return err
	}
	defer rows.Close()
	s.result.begin(rows.Columns())
	values := make([]driver.Value, len(rows.Columns()))
	for n := 0; ; n++ {
		if err := rows.Next(values); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if n >= s.host.config.MaxRows {
			return fmt.Errorf("%w: more than %d rows; add a LIMIT", ErrTooLarge, n)
		}
		if err := s.result.add(values); err != nil {
			return err
		}
	}
}

// explain says what a client should read: why the statement was refused, what the table said, or SQLite's own words
// without the driver's dressing ("SQL logic error: no such column: x (1)").
func (s *session) explain(err error) error {
	if err == nil {
		return nil
	}
	if s.policy.refused != "" {
		return errors.New(s.policy.refused)
	}
	if s.tableErr != nil {
		return s.tableErr
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	message := e.Error()
	message = strings.TrimSuffix(message, fmt.Sprintf(" (%d)", e.Code()))
	if known, rest, found := strings.Cut(message, ": "); found && known == sqliteWords(e.Code()) {
		message = rest
	}
	return errors.New(message)
}

// sqliteWords is sqlite3_errstr for the codes a statement meets.
func sqliteWords(code int) string {
	switch code & 0xff {
	case 1:
		return "SQL logic error"
	case 9:
		return "interrupted"
	case 18:
		return "string or blob too big"
	case 19:
		return "constraint failed"
	case 23:
		return "authorization denied"
	}
	return ""
}
