package bpf

import (
	"errors"
	"math"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// rawPair returns two connected descriptors over loopback, so that nothing but the kernel is measured.
func rawPair(b testing.TB, network string) (from, to int) {
	kind := unix.SOCK_STREAM
	if network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	ok := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	server, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	ok(err)
	ok(unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := unix.Getsockname(server)
	ok(err)
	from, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	ok(err)
	to = server
	if network == "tcp" {
		ok(unix.Listen(server, 1))
		ok(unix.Connect(from, name))
		to, _, err = unix.Accept(server)
		ok(err)
		ok(unix.Close(server))
		ok(unix.SetsockoptInt(from, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	} else {
		ok(unix.Connect(from, name))
	}
	b.Cleanup(func() { ok(unix.Close(from)); ok(unix.Close(to)) })
	return from, to
}

// paths are the ways of a send whose cost is bounded, in percent of a send and its receipt over loopback.
var paths = []struct {
	name, network string
	named         bool // an address with each send, from a socket that is not connected
	cfg           Config
	bound         float64
}{
	{"connections/tcp", "tcp", false, Config{}, 5},
	{"sends/tcp", "tcp", false, Config{Sends: true}, 10},
	{"sends/udp", "udp", false, Config{Sends: true}, 12},
	{"sends/sendto", "udp", true, Config{Sends: true}, 12},
}

// overhead returns what the programs add to the cost of a send and its receipt: thread CPU time, the least of small batches,
// in rounds with and without programs in turn; the median of the rounds' ratios, and the least of either.
func overhead(t testing.TB, rounds int, cfg Config, send func()) (ratio, plain, traced float64) {
	tracer := trace(t, cfg)
	defer drain(t, tracer)()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	batches := func() float64 {
		least := math.Inf(1)
		for range 10 {
			least = min(least, threadTime(200, send))
		}
		return least
	}
	plain, traced = math.Inf(1), math.Inf(1)
	ratios := make([]float64, rounds)
	for i := range ratios {
		require.NoError(t, detach(tracer))
		without := batches()
		require.NoError(t, attach(tracer))
		with := batches()
		ratios[i] = with / without
		plain, traced = min(plain, without), min(traced, with)
	}
	slices.Sort(ratios)
	return ratios[rounds/2], plain, traced
}

// The bounds hold, with half as much again for what else runs on this machine.
func TestSendersArePutToLittleExpense(t *testing.T) {
	if racing {
		t.Skip("the race detector measures itself")
	}
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			if path.cfg.Sends {
				path.cfg.Cgroup = cgroup2(t)
			}
			ratio, plain, traced := overhead(t, 30, path.cfg, sender(t, path.network, path.named))
			t.Logf("%.1f %%: at least %.0f ns without, %.0f ns with the programs", 100*(ratio-1), plain, traced)
			require.Less(t, 100*(ratio-1), 1.5*path.bound)
		})
	}
}

// detach takes the programs of a tracer out of their places, attach puts them back.
func detach(t *Tracer) (err error) {
	for _, l := range t.links {
		err = errors.Join(err, l.Close())
	}
	t.links = nil
	return err
}

func attach(t *Tracer) error {
	for _, p := range t.programs {
		var l link.Link
		var err error
		switch p.Type() {
		case ebpf.Tracing:
			l, err = link.AttachTracing(link.TracingOptions{Program: p, AttachType: ebpf.AttachTraceRawTp})
		default:
			how := ebpf.AttachCGroupUDP4Sendmsg
			if l, err = link.AttachCgroup(link.CgroupOptions{Path: t.cfg.Cgroup, Attach: how, Program: p}); err != nil {
				how = ebpf.AttachCGroupUDP6Sendmsg
				l, err = link.AttachCgroup(link.CgroupOptions{Path: t.cfg.Cgroup, Attach: how, Program: p})
			}
		}
		if err != nil {
			return err
		}
		t.links = append(t.links, l)
	}
	return nil
}

// BenchmarkOverhead is the cost of the programs to those who send, in percent.
func BenchmarkOverhead(b *testing.B) {
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			if path.cfg.Sends {
				path.cfg.Cgroup = cgroup2(b)
			}
			send := sender(b, path.network, path.named)
			var ratio, plain, traced float64
			for b.Loop() {
				ratio, plain, traced = overhead(b, 100, path.cfg, send)
			}
			b.ReportMetric(plain, "plain-ns")
			b.ReportMetric(traced, "traced-ns")
			b.ReportMetric(100*(ratio-1), "%")
		})
	}
}

// sender returns what sends 100 bytes and receives them.
func sender(b testing.TB, network string, named bool) func() {
	from, to := rawPair(b, network)
	payload, buffer := make([]byte, 100), make([]byte, 200)
	peer, err := unix.Getsockname(to)
	if err != nil {
		b.Fatal(err)
	}
	if named {
		if from, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = unix.Close(from) })
	}
	return func() {
		if named {
			err = unix.Sendto(from, payload, 0, peer)
		} else {
			_, err = unix.Write(from, payload)
		}
		if err != nil {
			b.Fatal(err)
		}
		if _, err := unix.Read(to, buffer); err != nil {
			b.Fatal(err)
		}
	}
}

// threadTime returns the CPU time of one of n calls, in nanoseconds.
func threadTime(n int, call func()) float64 {
	var from, to unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &from)
	for range n {
		call()
	}
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &to)
	return float64(to.Nano()-from.Nano()) / float64(n)
}

// BenchmarkConnect is the cost of a connection from connect to close.
func BenchmarkConnect(b *testing.B) {
	for _, traced := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "connections"}[traced], func(b *testing.B) {
			if traced {
				stop := drain(b, trace(b, Config{}))
				defer stop()
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			for b.Loop() {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				s, err := l.Accept()
				if err != nil {
					b.Fatal(err)
				}
				_, _ = c.Close(), s.Close()
			}
		})
	}
}

// drain reads events until the returned function is called.
func drain(b testing.TB, tracer *Tracer) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var e Event
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := tracer.Next(&e); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	return func() { close(done); tracer.Interrupt(); <-ended }
}

// BenchmarkNext is the reader's own cost of one record, from the ring to an Event, and beside it that of taking it off the ring.
func BenchmarkNext(b *testing.B) {
	const batch = 10000
	tracer := trace(b, Config{Sends: true, Cgroup: cgroup2(b), Window: time.Nanosecond, Ring: 16 << 20})
	from, to := rawPair(b, "udp")
	payload := make([]byte, 8)
	var e Event
	reads := []func() error{
		func() error { return tracer.records.reader.ReadInto(&tracer.records.record) },
		func() error { _, err := tracer.Next(&e); return err },
	}
	least := []float64{math.Inf(1), math.Inf(1)}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		for i, read := range reads {
			for range batch {
				if _, err := unix.Write(from, payload); err != nil {
					b.Fatal(err)
				}
				if _, err := unix.Read(to, payload); err != nil {
					b.Fatal(err)
				}
			}
			tracer.Interrupt() // nothing wakes the reader for the repeated sends of a stream
			least[i] = min(least[i], threadTime(batch, func() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}))
			for ok := true; ok; { // records of others
				var err error
				if ok, err = tracer.Next(&e); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(least[0], "bare-cpu-ns/record")
	b.ReportMetric(least[1], "cpu-ns/record")
}

func TestNextDoesNotAllocate(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), Window: time.Nanosecond})
	from, to := rawPair(t, "udp")
	buffer := make([]byte, 8)
	var e Event
	require.NoError(t, tracer.SetDeadline(time.Now().Add(10*time.Second)))
	for range 300 {
		_, err := unix.Write(from, buffer)
		require.NoError(t, err)
		_, err = unix.Read(to, buffer)
		require.NoError(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(200, func() { _, _ = tracer.Next(&e) }))
}
