package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// records parses what a sender wrote.
func records(t *testing.T, r io.Reader) []Sent {
	t.Helper()
	var sent []Sent
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var s Sent
		require.NoError(t, json.Unmarshal(lines.Bytes(), &s))
		sent = append(sent, s)
	}
	return sent
}

// startSink runs a sink on loopback until the test ends.
func startSink(t *testing.T, network string) *Sink {
	t.Helper()
	sink, err := Listen(t.Context(), network, "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sink.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return sink
}

func TestSendersOnLoopback(t *testing.T) {
	tests := []struct {
		name        string
		config      SenderConfig
		checkIns    int
		connections int
		bytes       int
	}{
		{"kept connection", SenderConfig{Shape: Beat, Network: "tcp", Size: 151, Count: 5}, 5, 1, 755},
		{"a connection each", SenderConfig{Shape: Beat, Network: "tcp", Size: 151, Count: 5, Reconnect: true}, 5, 5, 755},
		{"several writes", SenderConfig{Shape: Beat, Network: "tcp", Size: 301, Writes: 3, Count: 2}, 2, 1, 602},
		{"once", SenderConfig{Shape: Once, Network: "tcp", Size: 99, Count: 1}, 1, 1, 99},
		{"chunks", SenderConfig{Shape: Chunks, Network: "tcp", Size: 1 << 20, Count: 3}, 3, 1, 3 << 20},
		{"bursts", SenderConfig{Shape: Bursts, Network: "tcp", Size: 64, Count: 9}, 9, 1, 576},
		{"random", SenderConfig{Shape: Random, Network: "tcp", Size: 64, Count: 9}, 9, 1, 576},
		{"datagrams", SenderConfig{Shape: Beat, Network: "udp", Size: 48, Count: 4}, 4, 1, 192},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sink := startSink(t, test.config.Network)
			var record bytes.Buffer
			c := test.config
			c.Address, c.Interval, c.For, c.Record = sink.Addr().String(), 2*time.Millisecond, 20*time.Second, &record
			require.NoError(t, Run(t.Context(), c))
			sent := records(t, &record)
			require.Len(t, sent, test.checkIns)
			sum := 0
			for _, s := range sent {
				sum += s.Bytes
				require.Equal(t, max(c.Writes, 1), s.Writes)
			}
			require.Equal(t, test.bytes, sum)
			require.Equal(t, test.connections, sent[len(sent)-1].Connection)
			require.Eventually(t, func() bool { return sink.Totals().Bytes == uint64(sum) }, 10*time.Second, time.Millisecond)
			if c.Network == "tcp" {
				require.EqualValues(t, test.connections, sink.Totals().Connections)
			} else {
				require.EqualValues(t, test.checkIns, sink.Totals().Datagrams)
			}
		})
	}
}

// simulated runs a sender for simulated hours over a pipe and returns its record.
func simulated(t *testing.T, c SenderConfig) []Sent {
	t.Helper()
	var record bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		c.Network, c.Address, c.Record = "tcp", "pipe", &record
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			return ours, nil
		}
		require.NoError(t, Run(t.Context(), c))
	})
	return records(t, &record)
}

func TestBeatKeepsItsBand(t *testing.T) {
	sent := simulated(t, SenderConfig{Shape: Beat, Interval: time.Minute, Jitter: 0.2, Size: 200, Spread: 3, Count: 300, For: 24 * time.Hour, Seed: 4})
	require.Len(t, sent, 300)
	var lo, hi int64 = 1 << 62, 0
	for i := 1; i < len(sent); i++ {
		gap := sent[i].UnixNano - sent[i-1].UnixNano
		lo, hi = min(lo, gap), max(hi, gap)
		require.InDelta(t, 200, sent[i].Bytes, 3)
	}
	require.GreaterOrEqual(t, time.Duration(lo), 48*time.Second)
	require.LessOrEqual(t, time.Duration(hi), 72*time.Second)
	require.Greater(t, time.Duration(hi-lo), 20*time.Second, "jitter is used")
}

func TestSendersAreBounded(t *testing.T) {
	sent := simulated(t, SenderConfig{Shape: Beat, Interval: time.Minute, Size: 10, Count: 1000, For: 10*time.Minute + time.Second})
	require.Len(t, sent, 11, "the time limit comes first")
	begun := time.Now()
	require.Empty(t, simulated(t, SenderConfig{Shape: Idle, For: time.Hour}))
	require.Less(t, time.Since(begun), time.Minute)
}

func TestBurstsAreBursty(t *testing.T) {
	sent := simulated(t, SenderConfig{Shape: Bursts, Interval: time.Minute, Size: 10, Count: 500, For: 48 * time.Hour, Seed: 2})
	short := 0
	for i := 1; i < len(sent); i++ {
		if sent[i].UnixNano-sent[i-1].UnixNano < int64(6*time.Second) {
			short++
		}
	}
	require.Greater(t, short, len(sent)/2)
	require.Less(t, short, len(sent)*95/100)
}

func TestRunRefusesNonsense(t *testing.T) {
	good := SenderConfig{Network: "tcp", Address: "127.0.0.1:1", Interval: time.Second, Size: 10, Count: 1, For: time.Second}
	tests := []struct {
		name   string
		change func(*SenderConfig)
		want   string
	}{
		{"network", func(c *SenderConfig) { c.Network = "unix" }, "sender: network \"unix\" is neither tcp nor udp"},
		{"no time limit", func(c *SenderConfig) { c.For = 0 }, "sender: no time limit"},
		{"no count", func(c *SenderConfig) { c.Count = 0 }, "sender: count 0 is not between 1 and 1000000"},
		{"no interval", func(c *SenderConfig) { c.Interval = 0 }, "sender: no interval"},
		{"jitter", func(c *SenderConfig) { c.Jitter = 1 }, "sender: jitter 1 is not in [0, 1)"},
		{"spread over size", func(c *SenderConfig) { c.Spread = 10 }, "sender: payload 10 ± 10 is not between 1 and 67108864 bytes"},
		{"datagram", func(c *SenderConfig) { c.Network, c.Size = "udp", 70_000 }, "sender: payload 70000 ± 0 does not fit a datagram"},
		{"writes", func(c *SenderConfig) { c.Writes = 65 }, "sender: 65 writes per check-in are more than 64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.change(&c)
			require.EqualError(t, Run(t.Context(), c), test.want)
		})
	}
}

func TestRunReportsARefusedConnection(t *testing.T) {
	sink, err := Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := sink.Addr().String()
	sink.close()
	err = Run(t.Context(), SenderConfig{Network: "tcp", Address: address, Interval: time.Second, Size: 10, Count: 3, For: time.Minute})
	require.ErrorContains(t, err, "connection refused")
}
