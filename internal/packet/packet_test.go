package packet

import (
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// open listens in a network namespace of the test's own, with loopback up, from outside it, and leaves the thread inside.
func open(t testing.TB, cfg Config) *Conn {
	t.Helper()
	runtime.LockOSThread() // the thread ends with the test, and the namespace with it
	outside, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(outside)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		need.Skip(t, "network namespace: %v", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		need.Skip(t, "loopback: %v: %s", err, out)
	}
	inside, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(inside)
	require.NoError(t, unix.Setns(outside, unix.CLONE_NEWNET))
	cfg.NetNS = inside
	c, err := Open(cfg)
	if err != nil {
		need.Skip(t, "packet socket: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, unix.Setns(inside, unix.CLONE_NEWNET))
	return c
}

// collect reads packets until n that match are there, and a little longer, so that one too many is seen.
func collect(t *testing.T, c *Conn, n int, match func(*Packet) bool) (found []Packet) {
	t.Helper()
	var p Packet
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	for {
		for {
			ok, err := c.Next(&p)
			require.NoError(t, err)
			if !ok {
				break
			}
			if match(&p) {
				found = append(found, p)
			}
		}
		if len(found) == n {
			require.NoError(t, c.SetDeadline(time.Now().Add(50*time.Millisecond)))
		}
		ready, err := c.Wait()
		require.NoError(t, err)
		if !ready {
			require.Len(t, found, n)
			return found
		}
	}
}

func sinceBoot(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts))
	return ts.Nano()
}

func TestSYNs(t *testing.T) {
	c := open(t, Config{})
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		before := sinceBoot(t)
		d, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		_, err = d.Write(make([]byte, 100))
		require.NoError(t, err)
		p := collect(t, c, 1, func(p *Packet) bool { return p.Protocol == unix.IPPROTO_TCP })[0]
		require.Equal(t, d.LocalAddr().String(), p.Local.String())
		require.Equal(t, l.Addr().String(), p.Remote.String())
		require.Greater(t, p.At, before)
		require.Less(t, p.At, sinceBoot(t))
		require.NoError(t, d.Close())
		require.NoError(t, l.Close())
	}
	require.Zero(t, c.Malformed())
}

// Each datagram once from each end, with its size; larger ones than the interface carries by their first fragment.
func TestDatagrams(t *testing.T) {
	c := open(t, Config{})
	if out, err := exec.Command("ip", "link", "set", "lo", "mtu", "1500").CombinedOutput(); err != nil {
		need.Skip(t, "mtu: %v: %s", err, out)
	}
	for address, sizes := range map[string][]int{"127.0.0.1:0": {0, 1, 1400, 9000}, "[::1]:0": {0, 1, 1400}} {
		l, err := net.ListenPacket("udp", address)
		require.NoError(t, err)
		d, err := net.Dial("udp", l.LocalAddr().String())
		require.NoError(t, err)
		for _, n := range sizes {
			_, err = d.Write(make([]byte, n))
			require.NoError(t, err)
		}
		client, server := d.LocalAddr().(*net.UDPAddr).AddrPort(), l.LocalAddr().(*net.UDPAddr).AddrPort()
		var out, in []int
		for _, p := range collect(t, c, 2*len(sizes), func(p *Packet) bool { return p.Protocol == unix.IPPROTO_UDP }) {
			if p.Outgoing {
				require.Equal(t, [2]netip.AddrPort{client, server}, [2]netip.AddrPort{p.Local, p.Remote})
				out = append(out, int(p.Size))
			} else {
				require.Equal(t, [2]netip.AddrPort{server, client}, [2]netip.AddrPort{p.Local, p.Remote})
				in = append(in, int(p.Size))
			}
		}
		require.Equal(t, sizes, out)
		require.Equal(t, sizes, in)
		require.NoError(t, d.Close())
		require.NoError(t, l.Close())
	}
}

// Only what is wanted passes the filter.
func TestWant(t *testing.T) {
	for want, protocol := range map[Want]uint8{SYNs: unix.IPPROTO_TCP, Datagrams: unix.IPPROTO_UDP} {
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			c := open(t, Config{Want: want})
			for _, network := range []string{"udp", "tcp", "udp", "tcp"} {
				d, err := net.Dial(network, host+":9") // nobody listens
				if err == nil {
					_, err = d.Write([]byte{1})
					require.NoError(t, err)
					require.NoError(t, d.Close())
				}
			}
			n := 2
			if want == Datagrams {
				n = 4 // from each end
			}
			for _, p := range collect(t, c, n, func(*Packet) bool { return true }) {
				require.Equal(t, protocol, p.Protocol)
			}
		}
	}
}

func TestDropsAreCounted(t *testing.T) {
	c := open(t, Config{ReceiveBuffer: 1})
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	d, err := net.Dial("udp4", l.LocalAddr().String())
	require.NoError(t, err)
	defer d.Close()
	const made = 500
	for range made {
		_, err = d.Write(make([]byte, 100))
		require.NoError(t, err)
	}
	seen := 0
	var p Packet
	for {
		ok, err := c.Next(&p)
		require.NoError(t, err)
		if !ok {
			break
		}
		seen++
	}
	drops, err := c.Drops()
	require.NoError(t, err)
	require.Positive(t, drops)
	require.Equal(t, 2*made, seen+int(drops))
	again, err := c.Drops()
	require.NoError(t, err)
	require.Equal(t, drops, again, "they add up though the kernel starts again")
}

func TestReadingDoesNotAllocate(t *testing.T) {
	c := open(t, Config{})
	d, err := net.Dial("udp4", "127.0.0.1:9")
	require.NoError(t, err)
	defer d.Close()
	for range 60 {
		_, _ = d.Write(make([]byte, 10)) // refused now and then: nobody listens
	}
	var p Packet
	require.Zero(t, testing.AllocsPerRun(50, func() { _, _ = c.Next(&p) }))
}

// BenchmarkReceive is what a datagram costs that is there, in CPU time, with a system call for each as yardstick.
func BenchmarkReceive(b *testing.B) {
	c := open(b, Config{Want: Datagrams, ReceiveBuffer: 64 << 20})
	d, err := net.Dial("udp4", "127.0.0.1:9")
	require.NoError(b, err)
	defer d.Close()
	payload := make([]byte, 100)
	for name, size := range map[string]int{"batches": batchSize, "one by one": 1} {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			c.batch = newBatch(size, snap)
			b.ReportAllocs()
			var p Packet
			var filling time.Duration
			began, received := threadTime(), 0
			for b.Loop() {
				ok, err := c.Next(&p)
				if ok {
					received++
					continue
				}
				require.NoError(b, err)
				before := threadTime()
				for range 1000 {
					_, _ = d.Write(payload) // refused now and then: nobody listens
				}
				filling += threadTime() - before
			}
			b.ReportMetric(float64(threadTime()-began-filling)/float64(received), "cpu-ns/packet")
		})
	}
}

func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
