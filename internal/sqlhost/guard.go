package sqlhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

// source is where a table is served: in this process or by an extension.
type source interface {
	// call asks the table to do request["action"], for whoever reads the response as it is.
	call(ctx context.Context, request osquery.ExtensionPluginRequest) (wire.Answer, error)
	// rows asks it for rows, for SQL.
	rows(ctx context.Context, request osquery.ExtensionPluginRequest, reads reading) (*osquery.ExtensionStatus, *wire.Rows, error)
}

// guard stands between SQL and a table: whatever the table does, a call ends in time, a panic is an error, and calls that
// never return cannot pile up.
type guard struct {
	name    string
	timeout time.Duration
	slots   chan struct{} // one token per call that has not returned, given up or not
	source  source
}

func newGuard(name string, timeout time.Duration, concurrent int, s source) *guard {
	return &guard{name: name, timeout: timeout, slots: make(chan struct{}, concurrent), source: s}
}

// within runs f inside the bounds of g.
func within[T any](parent context.Context, g *guard, f func(context.Context) (T, error)) (value T, err error) {
	ctx, cancel := context.WithTimeoutCause(parent, g.timeout, fmt.Errorf("table %s did not answer within %v", g.name, g.timeout))
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		if parent.Err() != nil {
			return value, context.Cause(parent)
		}
		return value, fmt.Errorf("table %s is busy: %d calls have not returned", g.name, cap(g.slots))
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1) // buffered: a late answer must not keep its goroutine
	go func() {
		var o outcome
		defer func() {
			if r := recover(); r != nil {
				o.err = fmt.Errorf("panic: %v", r)
			}
			<-g.slots
			done <- o
		}()
		o.value, o.err = f(ctx)
	}()
	select {
	case o := <-done:
		if o.err != nil && ctx.Err() != nil {
			return value, context.Cause(ctx)
		}
		if o.err != nil {
			return value, fmt.Errorf("table %s: %w", g.name, o.err)
		}
		return o.value, nil
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

var errNoStatus = errors.New("the response has no status")

// call returns the table's answer; one without a status is an error. A status other than 0 is the caller's to
// read.
func (g *guard) call(ctx context.Context, request osquery.ExtensionPluginRequest) (wire.Answer, error) {
	return within(ctx, g, func(ctx context.Context) (wire.Answer, error) {
		answer, err := g.source.call(ctx, request)
		if err == nil && answer.Status == nil {
			err = errNoStatus
		}
		return answer, err
	})
}

// generate asks for the rows that fit the query context.
func (g *guard) generate(ctx context.Context, queryContext string, reads reading) (*wire.Rows, error) {
	return within(ctx, g, func(ctx context.Context) (*wire.Rows, error) {
		status, rows, err := g.source.rows(ctx, osquery.ExtensionPluginRequest{"action": "generate", "context": queryContext}, reads)
		switch {
		case err != nil:
			return nil, err
		case status == nil:
			return nil, errNoStatus
		case status.Code == 0:
			return rows, nil
		case status.Message == "":
			return nil, fmt.Errorf("status %d", status.Code)
		}
		return nil, errors.New(status.Message)
	})
}
