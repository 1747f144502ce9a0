package sqlhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osquery/osquery-go/gen/osquery"
)

// callFunc asks a table to do request["action"].
type callFunc func(ctx context.Context, request osquery.ExtensionPluginRequest) (*osquery.ExtensionResponse, error)

// guard stands between SQL and a table: whatever the table does, a call ends in time, a panic is an error, and calls that
// never return cannot pile up.
type guard struct {
	name    string
	timeout time.Duration
	slots   chan struct{} // one token per call that has not returned, given up or not
	inner   callFunc
}

func newGuard(name string, timeout time.Duration, concurrent int, inner callFunc) *guard {
	return &guard{name: name, timeout: timeout, slots: make(chan struct{}, concurrent), inner: inner}
}

type answer struct {
	response *osquery.ExtensionResponse
	err      error
}

// call returns the table's response; a response without a status is an error. A status other than 0 is the caller's to
// read.
func (g *guard) call(parent context.Context, request osquery.ExtensionPluginRequest) (*osquery.ExtensionResponse, error) {
	ctx, cancel := context.WithTimeoutCause(parent, g.timeout, fmt.Errorf("table %s did not answer within %v", g.name, g.timeout))
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		if parent.Err() != nil {
			return nil, context.Cause(parent)
		}
		return nil, fmt.Errorf("table %s is busy: %d calls have not returned", g.name, cap(g.slots))
	}
	done := make(chan answer, 1) // buffered: a late answer must not keep its goroutine
	go func() {
		defer func() { <-g.slots }()
		done <- g.protect(ctx, request)
	}()
	select {
	case a := <-done:
		if a.err == nil && (a.response == nil || a.response.Status == nil) {
			a.err = errors.New("the response has no status")
		}
		if a.err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("table %s: %w", g.name, a.err)
		}
		return a.response, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (g *guard) protect(ctx context.Context, request osquery.ExtensionPluginRequest) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{err: fmt.Errorf("panic: %v", r)}
		}
	}()
	response, err := g.inner(ctx, request)
	return answer{response, err}
}

// generate asks for the rows that fit the query context.
func (g *guard) generate(ctx context.Context, queryContext string) ([]map[string]string, error) {
	response, err := g.call(ctx, osquery.ExtensionPluginRequest{"action": "generate", "context": queryContext})
	if err != nil {
		return nil, err
	}
	if response.Status.Code != 0 {
		message := response.Status.Message
		if message == "" {
			message = fmt.Sprintf("status %d", response.Status.Code)
		}
		return nil, fmt.Errorf("table %s: %s", g.name, message)
	}
	return response.Response, nil
}
