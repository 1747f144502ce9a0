package wire

import (
	"context"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
)

// hangUpInterval is how often a call looks whether anybody still waits for it.
const hangUpInterval = 100 * time.Millisecond

// call answers osquery's "call" in place of the generated code, which would need maps.
type call struct{ server *Server }

// Process answers one call. A result that says false ends the connection.
func (c call) Process(ctx context.Context, sequence int32, in, out thrift.TProtocol) (bool, thrift.TException) {
	var args osquery.ExtensionCallArgs
	if err := args.Read(ctx, in); err != nil {
		return false, thrift.WrapTException(err) // what follows cannot be read either
	}
	if err := in.ReadMessageEnd(ctx); err != nil {
		return false, thrift.WrapTException(err)
	}
	if err := reply(ctx, sequence, out, c.answer(ctx, in.Transport(), &args)); err != nil {
		return false, thrift.WrapTException(err)
	}
	return true, nil
}

// answer asks the table, which sees its context end when the caller hangs up.
func (c call) answer(ctx context.Context, caller thrift.TTransport, args *osquery.ExtensionCallArgs) Answer {
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
	return c.server.answer(ctx, args.Registry, args.Item, args.Request)
}

func reply(ctx context.Context, sequence int32, out thrift.TProtocol, a Answer) error {
	if err := out.WriteMessageBegin(ctx, "call", thrift.REPLY, sequence); err != nil {
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
