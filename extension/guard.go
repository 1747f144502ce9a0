package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	osquery "github.com/osquery/osquery-go"
	gen "github.com/osquery/osquery-go/gen/osquery"

	"github.com/beaconwatch/beaconwatch/internal/wire"
)

const (
	tableTimeout = 20 * time.Second
	tableCalls   = 4
)

// guarded is a table that cannot hurt the process: a panic becomes an error row's status, a call that takes too long is
// answered for, and at most a few calls run at once.
type guarded struct {
	osquery.OsqueryPlugin
	slots   chan struct{}
	within  func(context.Context, func())
	timeout time.Duration
	failed  func(error)
}

// guard bounds p, whose calls are made within what they are handed to, as soon as that allows.
func guard(p osquery.OsqueryPlugin, within func(context.Context, func()), failed func(error)) *guarded {
	return &guarded{OsqueryPlugin: p, within: within, slots: make(chan struct{}, tableCalls), timeout: tableTimeout, failed: failed}
}

// Call is Answer as osquery-go has it.
func (g *guarded) Call(ctx context.Context, request gen.ExtensionPluginRequest) gen.ExtensionResponse {
	return g.Answer(ctx, request).Response()
}

// Answer asks the table inside the bounds. A call that overstays keeps its slot until it ends.
func (g *guarded) Answer(ctx context.Context, request gen.ExtensionPluginRequest) wire.Answer {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return refusal(fmt.Errorf("%s: %d calls are already running", g.Name(), tableCalls))
	}
	done := make(chan wire.Answer, 1)
	go func() {
		defer func() { <-g.slots }()
		defer func() {
			if p := recover(); p != nil {
				err := fmt.Errorf("%s: panic: %v", g.Name(), p)
				g.failed(fmt.Errorf("%w\n%s", err, debug.Stack()))
				done <- refusal(err)
			}
		}()
		g.within(ctx, func() { done <- wire.Ask(ctx, g.OsqueryPlugin, request) })
	}()
	select {
	case answer := <-done:
		return answer
	case <-ctx.Done():
		return refusal(fmt.Errorf("%s: no answer within %s", g.Name(), g.timeout))
	}
}

func refusal(err error) wire.Answer {
	return wire.Answer{Status: &gen.ExtensionStatus{Code: 1, Message: err.Error()}}
}
