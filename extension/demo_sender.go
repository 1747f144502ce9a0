package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// senderCommandName is the hidden command with which a copy of this executable becomes a sender.
const senderCommandName = "simulate-sender"

// answer is how long a client that makes a connection for each beat waits for its answer before it closes, as a real one
// would.
const answer = 250 * time.Millisecond

func senderCommand() *cobra.Command {
	return &cobra.Command{
		Use: senderCommandName, Hidden: true, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg simulate.SenderConfig
			if err := json.NewDecoder(os.Stdin).Decode(&cfg); err != nil {
				return usagef("a sender reads its configuration as JSON from standard input: %w", err)
			}
			cfg.Record = os.Stdout
			if cfg.Shape == simulate.Once || cfg.Reconnect {
				cfg.Dial = dialAndWait
			}
			return simulate.Run(cmd.Context(), cfg)
		},
	}
}

// dialAndWait connects; closing the connection waits for the answer first.
func dialAndWait(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return waiting{conn}, nil
}

type waiting struct{ net.Conn }

// Close gives the far end the usual time of an answer.
func (w waiting) Close() error {
	if err := w.SetReadDeadline(time.Now().Add(answer)); err == nil {
		var b [1]byte
		_, _ = w.Read(b[:]) // ends with the deadline: the sink never answers
	}
	return w.Conn.Close()
}
