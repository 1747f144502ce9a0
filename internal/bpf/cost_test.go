package bpf

import (
	"math"
	"net"
	"runtime"
	"testing"
	"time"

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

// BenchmarkOverhead is what the programs add to the cost of a send and its receipt over loopback, in percent: thread CPU time,
// the least of rounds that alternate with rounds without programs.
func BenchmarkOverhead(b *testing.B) {
	tests := []struct {
		name, network string
		named         bool
		cfg           Config
	}{
		{"connections/tcp", "tcp", false, Config{}},
		{"sends/tcp", "tcp", false, Config{Sends: true}},
		{"sends/udp", "udp", false, Config{Sends: true}},
		{"sends/sendto", "udp", true, Config{Sends: true}},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			if tt.cfg.Sends {
				tt.cfg.Cgroup = cgroup2(b)
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			least := [2]float64{math.Inf(1), math.Inf(1)}
			for b.Loop() {
				for traced := range least {
					stop := func() {}
					if traced == 1 {
						tracer, err := Open(tt.cfg)
						if err != nil {
							b.Fatal(err)
						}
						ended := drain(b, tracer)
						stop = func() { ended(); _ = tracer.Close() }
					}
					send := sender(b, tt.network, tt.named)
					for range 20 {
						least[traced] = min(least[traced], threadTime(1000, send))
					}
					stop()
				}
			}
			b.ReportMetric(least[0], "plain-ns")
			b.ReportMetric(least[1], "traced-ns")
			b.ReportMetric(100*(least[1]/least[0]-1), "%")
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

// BenchmarkNext is the reader's own cost of one record, from the ring to an Event.
func BenchmarkNext(b *testing.B) {
	const batch = 10000
	tracer := trace(b, Config{Sends: true, Cgroup: cgroup2(b), Window: time.Nanosecond, Ring: 16 << 20})
	from, to := rawPair(b, "udp")
	payload := make([]byte, 8)
	var e Event
	var total float64
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		rounds++
		for range batch {
			if _, err := unix.Write(from, payload); err != nil {
				b.Fatal(err)
			}
			if _, err := unix.Read(to, payload); err != nil {
				b.Fatal(err)
			}
		}
		tracer.SetDeadline(time.Now()) // nothing wakes the reader for the repeated sends of a stream
		runtime.LockOSThread()
		total += batch * threadTime(batch, func() {
			if ok, err := tracer.Next(&e); err != nil || !ok {
				b.Fatal(ok, err)
			}
		})
		runtime.UnlockOSThread()
		tracer.SetDeadline(time.Now())
		for ok := true; ok; { // records of others
			var err error
			if ok, err = tracer.Next(&e); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(total/float64(rounds*batch), "cpu-ns/record")
}

func TestNextDoesNotAllocate(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t), Window: time.Nanosecond})
	from, to := rawPair(t, "udp")
	buffer := make([]byte, 8)
	var e Event
	tracer.SetDeadline(time.Now().Add(10 * time.Second))
	for range 300 {
		_, err := unix.Write(from, buffer)
		require.NoError(t, err)
		_, err = unix.Read(to, buffer)
		require.NoError(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(200, func() { _, _ = tracer.Next(&e) }))
}
