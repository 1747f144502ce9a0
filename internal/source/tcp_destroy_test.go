package source

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

// never is what the kernel says of a clock that was never set: the age of its jiffies.
const never = 27 * time.Minute

func TestWhatTheLastWordOnAnUnseenSocketTells(t *testing.T) {
	refused := sockdiag.TCPInfo{SegsOut: 1, SegsIn: 1}
	cleared := sockdiag.TCPInfo{}
	tests := []struct {
		name  string
		info  sockdiag.TCPInfo
		port  uint16
		want  []send.Kind
		errno syscall.Errno
	}{
		{"refused", refused, 443, []send.Kind{send.Failed}, syscall.ECONNREFUSED},
		{"refused, blocking", cleared, 0, []send.Kind{send.Failed}, syscall.ECONNREFUSED},
		{"timed out", sockdiag.TCPInfo{SegsOut: 3, TotalRetrans: 2, Retransmits: 2}, 443, []send.Kind{send.Failed},
			syscall.ETIMEDOUT},
		{"timed out, blocking", sockdiag.TCPInfo{Retransmits: 2}, 0, []send.Kind{send.Failed}, syscall.ETIMEDOUT},
		{"no ARP answer", sockdiag.TCPInfo{SegsOut: 1, Retransmits: 3}, 443, []send.Kind{send.Failed}, syscall.EHOSTUNREACH},
		{"ICMP unreachable", sockdiag.TCPInfo{SegsOut: 1}, 443, []send.Kind{send.Failed}, syscall.EHOSTUNREACH},
		{"reset by its own program", sockdiag.TCPInfo{SinceSent: 40 * time.Millisecond}, 0,
			[]send.Kind{send.Open, send.Close}, 0},
		{"short and complete", sockdiag.TCPInfo{BytesSent: 10, BytesAcked: 12, DataSegsOut: 1, Delivered: 3, SegsOut: 4,
			SegsIn: 3, SinceSent: 40 * time.Millisecond}, 443, []send.Kind{send.Data, send.Open, send.Close}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sockdiag.Socket{State: sockdiag.Closed, Cookie: 1, Local: netip.MustParseAddrPort("10.0.0.1:40000"),
				Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), tt.port), Info: tt.info}
			s.Info.Length, s.Info.PMTU, s.Info.SendMSS, s.Info.SendWindow, s.Info.SinceReceived = 280, 1500, 1000, 10, never
			if s.Info.SinceSent == 0 {
				s.Info.SinceSent = never
			}
			got := newReader(10).last(s)
			require.Equal(t, tt.want, kinds(got))
			require.Equal(t, tt.errno, got[0].Errno)
			for _, one := range got {
				require.Equal(t, s.Remote, one.Socket.Remote)
				require.Positive(t, one.Within)
			}
		})
	}
}

// However long ago the last pass was, check-ins of one segment that no reading saw are told apart: the first word on each is exact, and
// what is vague about it comes later than that.
func TestUnseenCheckInsAreExactWhereTheyCanBe(t *testing.T) {
	r := newReader(10)
	r.now = r.now.Add(time.Hour) // that long without a look
	for cookie := range uint64(5) {
		s := sockdiag.Socket{State: sockdiag.Closed, Cookie: cookie + 1, Local: netip.MustParseAddrPort("10.0.0.1:40000"),
			Remote: netip.MustParseAddrPort("192.0.2.1:443"), Info: sockdiag.TCPInfo{Length: 280, PMTU: 1500, SendMSS: 1000, SendWindow: 10,
				BytesSent: 10, BytesAcked: 12, DataSegsOut: 1, Delivered: 3, SegsOut: 4, SegsIn: 3, SinceSent: 40 * time.Millisecond, SinceReceived: never}}
		got := r.last(s)
		require.Equal(t, []send.Kind{send.Data, send.Open, send.Close}, kinds(got))
		require.Less(t, got[0].Within, 50*time.Millisecond)
		require.Greater(t, got[1].Within, 10*time.Minute)
		require.Equal(t, got[0].At, got[1].At)
		require.LessOrEqual(t, got[1].At, got[2].At)
	}
}

func TestSocketsThatNeverConnectedAreNoNews(t *testing.T) {
	s := socket(1, 0, 0)
	s.Info = sockdiag.TCPInfo{Length: 280, SinceSent: never, SinceReceived: never}
	require.Empty(t, newReader(10).last(s))
	r := newReader(10)
	s.Info.PMTU, s.Remote = 1500, netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	require.Empty(t, r.last(s))
	require.EqualValues(t, 1, r.counters.NoDestination)
}

// Whatever a connection does between readings, what is reported adds up to what it sent, and each report lies between
// the readings around it.
func TestReportsAddUp(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		r := newReader(10)
		var want, got, kernelSent, kernelRetrans uint64
		var segments, retransmitted uint32
		var idle time.Duration
		state := func() sockdiag.Socket {
			s := socket(1, want, segments)
			s.Info.BytesSent, s.Info.BytesRetrans, s.Info.TotalRetrans = kernelSent, kernelRetrans, retransmitted
			s.Info.SinceSent = idle
			return s
		}
		note := func(sends []send.Send) {
			for _, s := range sends {
				got += s.Bytes
				require.LessOrEqual(t, s.At, r.now, "seed %d", seed)
				require.Positive(t, s.Within, "seed %d", seed)
			}
		}
		note(r.read(state()))
		for range 30 {
			idle += time.Second
			switch random.IntN(4) {
			case 0, 1:
				n := uint64(1 + random.IntN(5000))
				want, kernelSent, segments = want+n, kernelSent+n, segments+uint32(1+n/1000)
				idle = time.Duration(random.Int64N(int64(time.Second)))
			case 2: // lost, and sent again
				if want > 0 {
					kernelSent, kernelRetrans = kernelSent+100, kernelRetrans+100
					segments, retransmitted = segments+1, retransmitted+1
					idle = time.Duration(random.Int64N(int64(time.Second)))
				}
			case 3: // counted, but never left
				kernelSent, segments = kernelSent+70, segments+1
			}
			if random.IntN(3) > 0 {
				note(r.read(state()))
			}
		}
		note(r.read(state()))
		note(r.last(state()))
		require.Equal(t, want, got, "seed %d", seed)
		require.Empty(t, r.table.index)
	}
}
