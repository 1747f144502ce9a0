package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Level is how much of the kernel a source reaches into.
type Level uint8

// Connections (L2): TCP connections opened by this host and the bytes they carried. EverySend (L3): each send of every IP socket
// as well.
const (
	Connections Level = 2
	EverySend   Level = 3
)

// EBPFConfig says what to watch. The zero EBPFConfig asks for all the kernel grants.
type EBPFConfig struct {
	// MaxLevel caps the level, default EverySend.
	MaxLevel Level
	// Cgroup is the root of a mounted cgroup2 hierarchy, "" if there is none: then the destinations of unconnected UDP
	// sockets are Inferred.
	Cgroup string
	// MaxSockets bounds the connections remembered, default 32 768 (about 5 MB). Streams are bounded by MaxStreams.
	MaxSockets int
	// Period is how long records may wait to be read, default 50 ms; the last sends of a burst wait up to four periods. New
	// connections and streams are read at once, and what breaks a silence.
	// Idle is after how long without datagrams a stream to a peer ends, default 30 s.
	Period, Idle time.Duration
	// Ring and MaxStreams are as in bpf.Config.
	Ring, MaxStreams int
	// EphemeralFrom is the first local port the kernel chooses, default that of ip_local_port_range.
	EphemeralFrom uint16
}

func (c *EBPFConfig) setDefaults() error {
	if c.MaxLevel == 0 {
		c.MaxLevel = EverySend
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 1 << 15
	}
	if c.Period == 0 {
		c.Period = 50 * time.Millisecond
	}
	if c.Idle == 0 {
		c.Idle = 30 * time.Second
	}
	if c.EphemeralFrom == 0 {
		c.EphemeralFrom = ephemeralFrom()
	}
	if c.MaxLevel < Connections || c.MaxLevel > EverySend || c.MaxSockets < 1 || c.MaxSockets > 1<<24 ||
		c.Period < time.Millisecond || c.Period > time.Minute || c.Idle < time.Second {
		return fmt.Errorf("ebpf: level %d, %d sockets, period %v, idle %v: 2 or 3, in [1, 2^24], in [1 ms, 1 min], at least "+
			"1 s", c.MaxLevel, c.MaxSockets, c.Period, c.Idle)
	}
	return nil
}

// ephemeralFrom reads the low end of the range local ports are chosen from (ip(7)).
func ephemeralFrom() uint16 {
	const usual = 32768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low uint16
	if n, err := fmt.Sscan(string(text), &low); n != 1 || err != nil {
		return usual
	}
	return low
}

// EBPF learns of sends from programs inside the kernel, in all network namespaces. Sender is the process that opened the
// connection, or that sent; times are the kernel's own.
//
// At EverySend each send is reported, by itself (Exact) or, in a burst, together with those since the last report
// (Aggregated, with the time of the last). At Connections a connection is reported when it is established and, with what it
// carried, when it ends; what it sends meanwhile is for a sampler to tell, see Backfill.
//
// UDP has no handshake, so who began is a question. A socket whose port the kernel chose speaks first, or nobody would know it. Of
// one whose program chose the port, the programs hear who spoke first, from the first such socket on that sends beyond this
// host. Where they do not, it answers if its port is of a lower class (well-known, registered, ephemeral) than its peer's, and
// what it sends otherwise is Inferred. So is what raw, ICMP and SCTP sockets send without being connected, and UDP without a
// cgroup2 hierarchy: their destinations are read from the memory of the program.
type EBPF struct {
	ledger
	cfg    EBPFConfig
	tracer *bpf.Tracer
	level  Level
	netns  uint64 // inode of the sensor's own
	// attached is an instant before which the programs were not.
	attached boottime.Time

	// owned by the goroutine in Run
	emit    Emit
	event   bpf.Event // scratch
	streams []stream  // by number, as far as there were any
	live    int       // of them
	lost    uint64
	hears   bool // or has tried to

	waiting   rendezvous // for samplers, with records that are there
	interrupt func()     // ends the wait for more

	state       sync.Mutex
	connections map[uint64]*traced // by cookie, guarded by state
	most        int                // there ever were since the map was made, guarded by state
}

// flushPeriods is how many periods pass between two flushes while there are records, and after how many without the reader is only
// woken; noteEvery is how often it looks after itself all the same.
const (
	flushPeriods = 4
	noteEvery    = time.Second
)

// stream is what was reported of one.
type stream struct {
	known        bool
	bytes, sends uint64
	at           boottime.Time // of the last send reported
	connection   *traced       // of a TCP stream
	inbound      bool
	inferred     bool
}

// NewEBPF attaches the programs. The error matches ErrRefused if the kernel does not grant even Connections; Missing says what it
// refused otherwise.
func NewEBPF(cfg EBPFConfig) (*EBPF, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return nil, refused("ebpf", err)
	}
	attached := boottime.Now()
	tracer, err := bpf.Open(bpf.Config{Sends: cfg.MaxLevel == EverySend, Cgroup: cfg.Cgroup, Ring: cfg.Ring,
		MaxStreams: cfg.MaxStreams, Idle: cfg.Idle})
	if err != nil {
		return nil, refused("ebpf", err)
	}
	e := &EBPF{cfg: cfg, tracer: tracer, level: Connections, netns: own.Ino, attached: attached, interrupt: tracer.Interrupt,
		connections: make(map[uint64]*traced)}
	e.counters = Stats{Name: "ebpf", Protocol: "tcp", Quality: send.Aggregated}
	if tracer.Sends() {
		e.level = EverySend
		e.counters.Protocol, e.counters.Quality = "tcp,udp", send.Exact
	}
	e.publish()
	return e, nil
}

// Level is what the kernel granted.
func (e *EBPF) Level() Level { return e.level }

// Missing returns the programs the kernel refused, each with its errno; Source is the name of the program.
func (e *EBPF) Missing() []*RefusedError {
	var all []*RefusedError
	for _, r := range e.tracer.Missing() {
		all = append(all, &RefusedError{Source: r.Part, Errno: r.Errno})
	}
	return all
}

// Hear asks for the programs that hear who spoke first, which otherwise are attached when they are needed. It is not for use
// beside Run.
func (e *EBPF) Hear() error {
	if e.hears {
		return nil
	}
	e.hears = true
	if err := e.tracer.Hear(); err != nil {
		return refused("ebpf", err)
	}
	return nil
}

// Run reports until ctx ends, then returns nil; otherwise it returns why it could not go on. It may be called once.
func (e *EBPF) Run(ctx context.Context, emit Emit) error {
	e.emit = emit
	defer context.AfterFunc(ctx, e.tracer.Interrupt)()
	return e.during(func() error {
		return errors.Join(e.loop(ctx), e.tracer.Close())
	})
}

// Close ends a source that is never run; Run closes it itself.
func (e *EBPF) Close() error { return e.tracer.Close() }

func (e *EBPF) loop(ctx context.Context) error {
	defer e.waiting.end()
	heard, flushed, note := boottime.Now(), boottime.Now(), boottime.Now() // the last is when to
	for {
		if err := e.tracer.SetDeadline(time.Now().Add(e.pause(boottime.Now().Sub(heard)))); err != nil {
			return refused("ebpf", err)
		}
		if e.waiting.awaited() || ctx.Err() != nil {
			e.tracer.Interrupt() // report what is there, and go
		}
		handled, err := e.drain()
		if err != nil {
			return refused("ebpf", err)
		}
		now := boottime.Now()
		if handled > 0 {
			heard = now
		}
		if handled == 0 || now.Sub(flushed) >= flushPeriods*e.cfg.Period || ctx.Err() != nil {
			flushed = now
			if err := e.tracer.Flush(int64(now), e.handle); err != nil {
				return refused("ebpf", err)
			}
		}
		e.counters.Samples++
		if now >= note || ctx.Err() != nil {
			note = now.Add(pulse.After(noteEvery))
			if err := e.note(now); err != nil {
				return refused("ebpf", err)
			}
		}
		e.publish()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// pause is how long to wait for records after a silence. After a long one, all that was folded being told, any record ends it; but not
// at Connections, where the end of a connection may wait: a sampler that hears of it meanwhile knows better when it has sent last.
func (e *EBPF) pause(silence time.Duration) time.Duration {
	long := silence >= flushPeriods*e.cfg.Period && e.level == EverySend
	e.tracer.Sleep(long)
	switch {
	case long:
		return pulse.After(noteEvery)
	case silence >= e.cfg.Period:
		return flushPeriods * e.cfg.Period
	}
	return e.cfg.Period
}

// drain handles the records that are there, or come until the deadline, as long as nothing else is due: whom a send is put down to
// may take a while to find out, and further ones may be there by then.
func (e *EBPF) drain() (handled int, err error) {
	const look = 8           // events between two looks at the clock
	defer e.waiting.take()() // who waits now is let go at the end
	until := boottime.Now().Add(2 * flushPeriods * e.cfg.Period)
	for ; handled%look != 0 || handled == 0 || boottime.Now() < until; handled++ {
		ok, err := e.tracer.Next(&e.event)
		if err != nil || !ok {
			return handled, err
		}
		e.handle(&e.event)
	}
	return handled, nil
}

// note forgets what has long ended, notes what was lost, and sees that the programs are in their places.
func (e *EBPF) note(now boottime.Time) error {
	if err := e.tracer.Attached(); err != nil {
		return err
	}
	c, err := e.tracer.Counters()
	if err != nil {
		return err
	}
	e.lost = c.Lost
	e.counters.Lost = c.Lost + c.Unstored
	e.sweep(now)
	return nil
}
