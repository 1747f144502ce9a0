package candidate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func newRanker(t testing.TB, h history.Config) (*history.Store, *Ranker) {
	store, err := history.New(h)
	require.NoError(t, err)
	ranker, err := New(Config{Store: store})
	require.NoError(t, err)
	return store, ranker
}

func record(s *history.Store, path string, pid int32, addr string, at time.Duration, bytes uint64) {
	s.Record(&history.Key{Program: process.Program{Path: path}}, process.ID{PID: pid, StartTicks: 1}, &send.Send{
		Socket: send.Socket{Protocol: send.TCP, Remote: netip.MustParseAddrPort(addr)},
		Kind:   send.Data, At: boottime.Time(time.Hour + at), Bytes: bytes, Sends: 1})
}

func TestBeaconRanksAboveNoise(t *testing.T) {
	store, ranker := newRanker(t, history.Config{})
	r := rand.New(rand.NewPCG(1, 2))
	noise := time.Duration(0)
	for i := range 60 {
		record(store, "/opt/implant", 7, "198.51.100.7:443", time.Duration(i)*time.Minute, 151)
		noise += time.Duration(r.ExpFloat64() * float64(time.Minute))
		record(store, "/usr/bin/client", 8, "198.51.100.8:443", noise, 100+r.Uint64N(4000))
	}
	ranker.Refresh()
	ranked := ranker.Snapshot().Select(history.Filter{})
	require.Len(t, ranked, 2)
	top := ranked[0]
	require.Equal(t, "/opt/implant", top.Key.Program.Path)
	require.Equal(t, time.Minute, top.Result.Interval.Round(100*time.Millisecond))
	require.Greater(t, top.Result.Score, 0.9)
	require.Less(t, ranked[1].Result.Score, 0.5)
	require.Equal(t, "/opt/implant tcp://198.51.100.7:443", top.Signature)
	require.Equal(t, "1m", top.IntervalClass)
	require.Equal(t, "256B", top.SizeClass)
	require.Len(t, []rune(top.Sparkline), 20)
}

func TestWhatIsNotOutboundIsLeftOut(t *testing.T) {
	store, ranker := newRanker(t, history.Config{})
	for i := range 20 {
		for _, addr := range []string{"127.0.0.1:80", "169.254.1.1:80", "224.0.0.1:5353", "255.255.255.255:67", "169.254.169.254:80", "10.0.0.1:443"} {
			record(store, "/x", 7, addr, time.Duration(i)*time.Minute, 10)
		}
	}
	ranker.Refresh()
	var classes []string
	for _, c := range ranker.Snapshot().Select(history.Filter{}) {
		if c.Scope == ByDestination {
			classes = append(classes, c.Class.String())
		}
	}
	require.ElementsMatch(t, []string{"metadata", "private"}, classes)
}

func TestRotatingDestinationsAreOneProcessCandidate(t *testing.T) {
	store, ranker := newRanker(t, history.Config{})
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 { // thirty servers, each used now and then
		record(store, "/opt/rotator", 7, fmt.Sprintf("198.51.100.%d:443", r.IntN(30)), time.Duration(i)*time.Minute, 151)
	}
	for i := range 60 { // two servers with a rhythm of their own each: told by destination, not a third time
		record(store, "/opt/steady", 8, "198.51.100.1:443", time.Duration(i)*time.Minute, 151)
		record(store, "/opt/steady", 8, "198.51.100.2:443", time.Duration(i)*time.Minute+20*time.Second, 151)
	}
	ranker.Refresh()
	scopes := map[string][]string{}
	for _, c := range ranker.Snapshot().Select(history.Filter{}) {
		if c.Result.Score >= 0.5 && !c.Result.Insufficient {
			scopes[c.Key.Program.Path] = append(scopes[c.Key.Program.Path], c.Scope.String())
		}
	}
	require.Equal(t, []string{"process"}, scopes["/opt/rotator"])
	require.Equal(t, []string{"destination", "destination"}, scopes["/opt/steady"])
	for _, c := range ranker.Snapshot().Select(history.Filter{Path: "/opt/rotator"}) {
		if c.Scope == ByProcess {
			require.Equal(t, "/opt/rotator *", c.Signature)
			require.GreaterOrEqual(t, c.Destinations, 20)
		}
	}
}

func TestSelectHonoursEqualities(t *testing.T) {
	store, ranker := newRanker(t, history.Config{})
	for i := range 10 {
		record(store, "/a", 1, "198.51.100.1:443", time.Duration(i)*time.Minute, 1)
		record(store, "/b", 2, "198.51.100.1:443", time.Duration(i)*time.Minute, 1)
		record(store, "/b", 2, "198.51.100.2:443", time.Duration(i)*time.Minute+7*time.Second, 1)
	}
	ranker.Refresh()
	s := ranker.Snapshot()
	addr := netip.MustParseAddr("198.51.100.1")
	require.Len(t, s.Select(history.Filter{Path: "/a"}), 1)
	require.Len(t, s.Select(history.Filter{Remote: addr}), 2)
	require.Len(t, s.Select(history.Filter{Remote: addr, Path: "/b"}), 1)
	require.Empty(t, s.Select(history.Filter{PID: 1, Path: "/b"}))
	require.Empty(t, s.Select(history.Filter{PID: 99}))
}

func TestEvictedPairsLeaveTheRanking(t *testing.T) {
	store, ranker := newRanker(t, history.Config{MaxPairs: 1})
	for i := range 5 {
		record(store, "/a", 1, "198.51.100.1:443", time.Duration(i)*time.Minute, 1)
	}
	ranker.Refresh()
	require.Len(t, ranker.Snapshot().ranked, 1)
	for i := range 5 {
		record(store, "/b", 1, "198.51.100.2:443", time.Duration(i)*time.Minute, 1)
	}
	ranker.Refresh()
	ranked := ranker.Snapshot().Select(history.Filter{})
	require.Len(t, ranked, 1)
	require.Equal(t, "/b", ranked[0].Key.Program.Path)
}

func TestClassesHaveHysteresis(t *testing.T) {
	require.Equal(t, "1m", intervalClass(time.Minute, ""))
	require.Equal(t, "1m", intervalClass(55*time.Second, ""))
	edge := 42500 * time.Millisecond // just nearer to 1m than to 30s
	require.Equal(t, "1m", intervalClass(edge, ""))
	require.Equal(t, "1m", intervalClass(41*time.Second, "1m"), "it must leave by the margin")
	require.Equal(t, "30s", intervalClass(41*time.Second, "30s"))
	require.Equal(t, "30s", intervalClass(35*time.Second, "1m"))
	require.Equal(t, "", intervalClass(0, "1m"))
	require.Equal(t, "7d", intervalClass(1000*time.Hour, ""))
	require.Equal(t, "0B", sizeClass(0, ""))
	require.Equal(t, "1KiB", sizeClass(1500, ""))
	require.Equal(t, "256MiB", sizeClass(1e12, ""))
}

func TestSignatureNamesTheUnnamed(t *testing.T) {
	d := send.Destination{Protocol: send.UDP, Remote: netip.MustParseAddrPort("[2001:db8::1]:53")}
	require.Equal(t, "[unattributed] udp://[2001:db8::1]:53", Signature(history.Key{}, ByDestination, d))
	require.Equal(t, "10.0.0.9: udp://[2001:db8::1]:53", Signature(history.Key{Host: "10.0.0.9"}, ByDestination, d))
	require.Equal(t, "/usr/bin/python3 /opt/x.py @system.slice/x.service *",
		Signature(history.Key{Program: process.Program{Path: "/usr/bin/python3", Script: "/opt/x.py", Workload: "system.slice/x.service"}}, ByProcess, d))
}

func BenchmarkRefresh(b *testing.B) {
	store, ranker := newRanker(b, history.Config{})
	r := rand.New(rand.NewPCG(5, 6))
	const pairs, beats = 10_000, 200
	for i := range beats {
		for p := range pairs {
			record(store, fmt.Sprintf("/p/%d", p%500), int32(p+1), fmt.Sprintf("198.51.%d.%d:443", p/250, p%250),
				time.Duration(i)*time.Minute+time.Duration(r.Int64N(int64(20*time.Second))), 100+r.Uint64N(50))
		}
	}
	ranker.Refresh()
	b.ReportAllocs()
	n := beats
	for b.Loop() { // a second of a busy host: a tenth of the pairs has a new beat
		for p := 0; p < pairs; p += 10 {
			record(store, fmt.Sprintf("/p/%d", p%500), int32(p+1), fmt.Sprintf("198.51.%d.%d:443", p/250, p%250), time.Duration(n)*time.Minute, 100)
		}
		ranker.Refresh()
		n++
	}
}
