package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
)

// Actions of a row. A snapshot without rows is one row of its own, since it proves that the query ran.
const (
	actionAdded    = "added"
	actionRemoved  = "removed"
	actionSnapshot = "snapshot"
	actionEmpty    = "empty"
)

var (
	errNotResult = errors.New("not a result of a scheduled query: no columns, snapshot or diffResults")
	errNotObject = errors.New("not a JSON object")
)

// head is what all rows of one result share.
type head struct {
	Host    string // hostIdentifier
	Name    string // as logged, with the pack
	Query   string // without the pack
	Time    int64  // unixTime, epoch seconds
	Epoch   int64
	Counter int64
}

// storeError is what emit returns for a fault that is not the line's.
type storeError struct{ error }

// row is one row of a result. Cells are valid until the next row.
type row struct {
	*head
	Action string
	cells  *cells
}

// decoder reads lines of result logs. It is used by one goroutine and reuses its memory.
type decoder struct {
	cells   cells
	head    head
	skipped uint64 // lines of osquery's status log
}

func newDecoder() *decoder { return &decoder{cells: newCells()} }

// result is what one JSON object said, as tokens.
type result struct {
	head                         head
	action                       string
	columns, snapshot            jsonscan.Token
	added, removed, data         jsonscan.Token
	role                         string // that of the host, by a decorator
	severity, message, batched   bool
	hasHost, hasName, hasSeconds bool
}

// decode reads one line and gives each of its rows to emit: an event, a snapshot, a batch (diffResults), an array of these
// or the "data" of what osquery's TLS logger sends. Of a result that is bad no row is emitted; of an array the other results
// are, and the first error is returned. An error of emit ends it and is returned as it is.
func (d *decoder) decode(line []byte, emit func(row) error) error {
	s := jsonscan.Scanner{Text: line, Finite: true}
	value, err := s.Value() // all of it is sound JSON from here on
	if err == nil {
		err = s.End()
	}
	switch {
	case err != nil:
		return err
	case value.Kind == '[':
		return d.array(value, emit)
	case value.Kind == '{':
		return d.object(value, emit)
	}
	return errNotObject
}

func (d *decoder) array(array jsonscan.Token, emit func(row) error) error {
	var bad error
	_, err := elements(array, func(value jsonscan.Token) error {
		err := errNotObject
		if value.Kind == '{' {
			err = d.object(value, emit)
		}
		if errors.As(err, new(storeError)) {
			return err
		}
		bad = cmp.Or(bad, err)
		return nil
	})
	return cmp.Or(err, bad)
}

func (d *decoder) object(object jsonscan.Token, emit func(row) error) error {
	var r result
	if err := members(&jsonscan.Scanner{Text: object.Raw}, func(name []byte, value jsonscan.Token) error { return r.member(string(name), value) }); err != nil {
		return err
	}
	if r.data.Kind == '[' && !r.hasName {
		return d.array(r.data, emit)
	}
	if r.severity && r.message && !r.hasName {
		d.skipped++
		return nil
	}
	return d.rows(&r, emit)
}

// members walks an object. A name with an escape in it is none that matters here.
func members(s *jsonscan.Scanner, each func(name []byte, value jsonscan.Token) error) error {
	return s.Members(func(name []byte) error {
		value, err := s.Value()
		if err != nil {
			return err
		}
		return each(name, value)
	})
}

func (r *result) member(name string, value jsonscan.Token) (err error) {
	switch name {
	case "name":
		r.head.Name, r.hasName, err = text(value)
	case "hostIdentifier":
		r.head.Host, r.hasHost, err = text(value)
	case "unixTime":
		r.head.Time, r.hasSeconds = integer(value)
	case "epoch":
		r.head.Epoch, _ = integer(value)
	case "counter":
		r.head.Counter, _ = integer(value)
	case "action":
		r.action, _, err = text(value)
	case "columns":
		r.columns = value
	case "snapshot":
		r.snapshot = value
	case "data":
		r.data = value
	case "decorations":
		if value.Kind != '{' {
			return nil
		}
		err = members(&jsonscan.Scanner{Text: value.Raw}, func(name []byte, value jsonscan.Token) (err error) {
			if string(name) == "role" && value.Kind == '"' {
				r.role, _, err = text(value)
			}
			return err
		})
	case "severity":
		r.severity = true
	case "message":
		r.message = true
	case "diffResults":
		if value.Kind != '{' {
			return nil // an empty string, where there is nothing
		}
		r.batched = true
		return members(&jsonscan.Scanner{Text: value.Raw}, func(name []byte, value jsonscan.Token) error {
			switch string(name) {
			case actionAdded:
				r.added = value
			case actionRemoved:
				r.removed = value
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// rows checks what every result must have and emits its rows.
func (d *decoder) rows(r *result, emit func(row) error) error {
	switch {
	case !r.hasName || r.head.Name == "":
		return errors.New("no name")
	case !r.hasHost || r.head.Host == "":
		return errors.New("no hostIdentifier")
	case !r.hasSeconds || r.head.Time < 0 || r.head.Time > maxTime:
		return errors.New("no unixTime, or not a time in seconds")
	}
	if err := objects(r.snapshot, r.removed, r.added); err != nil {
		return err
	}
	d.head = r.head
	d.head.Query = queryOf(r.head.Name)
	d.cells.role = r.role
	switch {
	case r.columns.Kind == '{':
		if r.action != actionAdded && r.action != actionRemoved && r.action != actionSnapshot {
			return fmt.Errorf("action is %.20q, not added, removed or snapshot", r.action)
		}
		return d.row(r.action, r.columns.Raw, emit)
	case r.snapshot.Kind == '[':
		n, err := d.list(actionSnapshot, r.snapshot, emit)
		if err == nil && n == 0 {
			return d.row(actionEmpty, []byte("{}"), emit)
		}
		return err
	case r.batched:
		if _, err := d.list(actionRemoved, r.removed, emit); err != nil {
			return err
		}
		_, err := d.list(actionAdded, r.added, emit)
		return err
	}
	return errNotResult
}

// maxTime is the latest second with a year of four digits.
const maxTime = 253_402_300_799

// elements walks an array and returns how many values it has. No array is an empty one.
func elements(array jsonscan.Token, each func(jsonscan.Token) error) (n int, err error) {
	if array.Kind != '[' {
		return 0, nil
	}
	s := jsonscan.Scanner{Text: array.Raw}
	if err := s.Expect('['); err != nil {
		return 0, err
	}
	for ; ; n++ {
		more, err := s.Next(']', n)
		if err != nil || !more {
			return n, err
		}
		value, err := s.Value()
		if err != nil {
			return n, err
		}
		if err := each(value); err != nil {
			return n, err
		}
	}
}

// objects checks that every row of an array is an object, before the first of them is emitted.
func objects(arrays ...jsonscan.Token) error {
	for _, array := range arrays {
		_, err := elements(array, func(value jsonscan.Token) error {
			if value.Kind != '{' {
				return fmt.Errorf("a row is %.20q, not an object", value.Raw)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) list(action string, array jsonscan.Token, emit func(row) error) (n int, err error) {
	return elements(array, func(value jsonscan.Token) error { return d.row(action, value.Raw, emit) })
}

func (d *decoder) row(action string, object []byte, emit func(row) error) error {
	if err := d.cells.read(object); err != nil {
		return err
	}
	return emit(row{head: &d.head, Action: action, cells: &d.cells})
}

// text returns a scalar as text, and whether there is one.
func text(t jsonscan.Token) (string, bool, error) {
	switch t.Kind {
	case '"':
		v, err := jsonscan.Unquote(t.Raw)
		return v, true, err
	case 'n':
		return "", false, nil
	}
	return string(t.Raw), true, nil
}

// integer returns a whole number given as a number or as a string.
func integer(t jsonscan.Token) (int64, bool) {
	if t.Kind != '0' && t.Kind != '"' {
		return 0, false
	}
	if !decimal(t.Raw) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(t.Raw), 10, 64)
	if err != nil && t.Kind == '0' { // 1.7e9, as some shippers write it
		f, ferr := strconv.ParseFloat(string(t.Raw), 64)
		if ferr == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f), true
		}
	}
	return n, err == nil
}
