package wire

import (
	"context"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

// hangUpInterval is how often a method looks whether anybody still waits for its answer.
const hangUpInterval = 100 * time.Millisecond

// method is a method of osquery's Thrift services that answers with rows, in place of the generated code, which would need maps.
type method struct {
	name string
	// read reads the arguments, and returns what answers them.
	read func(ctx context.Context, in thrift.TProtocol) (func(context.Context) Answer, error)
}

// Processor is a generated processor of a service.
type Processor interface {
	AddToProcessorMap(string, thrift.TProcessorFunction)
}

// AnswerCalls has answer answer "call" of a service.
func AnswerCalls(p Processor, answer func(ctx context.Context, registry, item string, request osquery.ExtensionPluginRequest) Answer) {
	p.AddToProcessorMap("call", method{"call", func(ctx context.Context, in thrift.TProtocol) (func(context.Context) Answer, error) {
		var args osquery.ExtensionCallArgs
		err := args.Read(ctx, in)
		return func(ctx context.Context) Answer { return answer(ctx, args.Registry, args.Item, args.Request) }, err
	}})
}

// AnswerQueries has answer answer "query" of a service.
func AnswerQueries(p Processor, answer func(ctx context.Context, sql string) Answer) {
	p.AddToProcessorMap("query", method{"query", func(ctx context.Context, in thrift.TProtocol) (func(context.Context) Answer, error) {
		var args osquery.ExtensionManagerQueryArgs
		err := args.Read(ctx, in)
		return func(ctx context.Context) Answer { return answer(ctx, args.Sql) }, err
	}})
}

// Process answers once. A result that says false ends the connection.
func (m method) Process(ctx context.Context, sequence int32, in, out thrift.TProtocol) (bool, thrift.TException) {
	answer, err := m.read(ctx, in)
	if err == nil {
		err = in.ReadMessageEnd(ctx)
	}
	if err != nil {
		return false, thrift.WrapTException(err) // what follows cannot be read either
	}
	if err := m.reply(ctx, sequence, out, whileAwaited(ctx, in.Transport(), answer)); err != nil {
		return false, thrift.WrapTException(err)
	}
	return true, nil
}

// whileAwaited returns the answer to a caller. Its context ends when the caller hangs up.
func whileAwaited(ctx context.Context, caller thrift.TTransport, answer func(context.Context) Answer) Answer {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(hangUpInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !caller.IsOpen() {
					cancel()
				}
			}
		}
	}()
	defer func() { <-watched }() // it may not look while the next request is read
	defer cancel()
	return answer(ctx)
}

func (m method) reply(ctx context.Context, sequence int32, out thrift.TProtocol, a Answer) error {
	if err := out.WriteMessageBegin(ctx, m.name, thrift.REPLY, sequence); err != nil {
		return err
	}
	if err := a.Write(ctx, out); err != nil {
		return err
	}
	if err := out.WriteMessageEnd(ctx); err != nil {
		return err
	}
	return out.Flush(ctx)
}
