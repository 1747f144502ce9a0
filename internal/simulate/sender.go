package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// SenderConfig describes one live sender: what it sends, how often, to whom, and when it stops at the latest. Traffic is
// harmless: bytes without meaning, to the one address named.
type SenderConfig struct {
	Shape   Shape
	Network string // tcp, tcp4, tcp6, udp, udp4 or udp6
	Address string // host:port

	// Interval is the time between starts of check-ins: fixed for Beat and Chunks, the mean for Random, the mean silence
	// between bursts for Bursts. Once and Idle ignore it.
	Interval time.Duration
	// Jitter is the relative half-width of the intervals of Beat and Chunks, in [0, 1): uniform in Interval·(1 ± Jitter).
	Jitter float64
	// Size is the payload of a check-in in bytes, Spread by how much it differs at most, either way. A datagram carries at
	// most 65 507 bytes.
	Size, Spread int
	// Writes is how many writes a check-in is made of, a few milliseconds apart, as a TLS handshake and its request are;
	// 0 means 1. The payload is divided among them.
	Writes int
	// Reconnect makes a new connection for every check-in and closes it after; otherwise one connection is kept.
	Reconnect bool

	// Count and For bound the sender: it stops after so many check-ins or so much time, whichever is first. Both are
	// required. Idle has no check-ins and needs only For.
	Count int
	For   time.Duration
	// Seed decides every draw.
	Seed uint64
	// Record, if not nil, receives one JSON line per check-in, see Sent. It is called from Run only.
	Record io.Writer `json:"-"`
	// Dial connects; nil means a net.Dialer. A caller inside a network namespace, or on a simulated clock, brings its own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error) `json:"-"`
}

// Sent is what a sender really did in one check-in: when its first write began (nanoseconds since the Unix epoch), the
// payload bytes the kernel took, how many writes they were and the number of the connection, counted from 1.
type Sent struct {
	UnixNano   int64 `json:"unix_ns"`
	Bytes      int   `json:"bytes"`
	Writes     int   `json:"writes"`
	Connection int   `json:"connection"`
}

const (
	maxCheckIns = 1_000_000
	maxPayload  = 64 << 20
	maxDatagram = 65_507 // 65535 less the IPv4 and UDP headers
	maxWrites   = 64
	betweenSent = 5 * time.Millisecond // between the writes of one check-in
)

// Run sends as configured until a bound is reached, ctx is done (both are success) or the network refuses. It starts no
// goroutine and holds no connection when it returns.
func Run(ctx context.Context, c SenderConfig) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	l := &live{SenderConfig: c, payload: make([]byte, c.Size+c.Spread)}
	if l.Dial == nil {
		// keepalives at the pace of a nervous client: an idle connection then has packets but no payload
		l.Dial = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second}}).DialContext
	}
	err := l.run(ctx)
	if l.conn != nil {
		if closed := l.conn.Close(); err == nil && ctx.Err() == nil {
			err = closed
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("sender: %w", err)
	}
	return nil
}

func (c SenderConfig) validate() error {
	udp := strings.HasPrefix(c.Network, "udp")
	switch {
	case !udp && !strings.HasPrefix(c.Network, "tcp"):
		return fmt.Errorf("network %q is neither tcp nor udp", c.Network)
	case c.For <= 0:
		return errors.New("no time limit")
	case c.Shape == Idle:
		return nil
	case c.Count < 1 || c.Count > maxCheckIns:
		return fmt.Errorf("count %d is not between 1 and %d", c.Count, maxCheckIns)
	case c.Interval <= 0 && c.Shape != Once:
		return errors.New("no interval")
	case !(c.Jitter >= 0 && c.Jitter < 1):
		return fmt.Errorf("jitter %v is not in [0, 1)", c.Jitter)
	case c.Spread < 0 || c.Size-c.Spread < 1 || c.Size+c.Spread > maxPayload:
		return fmt.Errorf("payload %d ± %d is not between 1 and %d bytes", c.Size, c.Spread, maxPayload)
	case udp && c.Size+c.Spread > maxDatagram*max(c.Writes, 1):
		return fmt.Errorf("payload %d ± %d does not fit a datagram", c.Size, c.Spread)
	case c.Writes < 0 || c.Writes > maxWrites:
		return fmt.Errorf("%d writes per check-in are more than %d", c.Writes, maxWrites)
	}
	return nil
}

// live is a sender at work.
type live struct {
	SenderConfig
	payload     []byte
	conn        net.Conn
	connections int
}

func (l *live) run(ctx context.Context) error {
	if l.Shape == Idle {
		if err := l.connect(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	s := newScript(l.Seed, "live", int(l.Shape))
	gap := l.gaps(s)
	for n := 1; ; n++ {
		begun := time.Now()
		if err := l.checkIn(ctx, l.Size-l.Spread+s.IntN(2*l.Spread+1)); err != nil {
			return err
		}
		if n == l.Count || l.Shape == Once {
			return nil
		}
		// the interval runs from start to start, as the record says it
		if !sleep(ctx, gap()-time.Since(begun)) {
			return nil
		}
	}
}

func (l *live) connect(ctx context.Context) error {
	conn, err := l.Dial(ctx, l.Network, l.Address)
	if err != nil {
		return err
	}
	l.conn = conn
	l.connections++
	return nil
}

// checkIn writes size bytes and records them.
func (l *live) checkIn(ctx context.Context, size int) error {
	if l.conn == nil {
		if err := l.connect(ctx); err != nil {
			return err
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := l.conn.SetWriteDeadline(deadline); err != nil {
			return err
		}
	}
	sent := Sent{UnixNano: time.Now().UnixNano(), Connection: l.connections}
	writes := min(max(l.Writes, 1), size)
	for w := range writes {
		if w > 0 && !sleep(ctx, betweenSent) {
			break
		}
		n, err := l.conn.Write(l.payload[:size*(w+1)/writes-size*w/writes])
		sent.Bytes += n
		if err != nil {
			return err
		}
		sent.Writes++
	}
	if l.Reconnect {
		err := l.conn.Close()
		l.conn = nil
		if err != nil {
			return err
		}
	}
	if l.Record == nil {
		return nil
	}
	return json.NewEncoder(l.Record).Encode(sent)
}

// sleep waits and says whether it did: false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
