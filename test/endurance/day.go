// Package endurance runs days of traffic through histories, ranking and checkpoints on simulated time, with what may happen to
// a sensor in a day: it is killed, the host reboots, the clock is set, the disk stalls. Its tests compare what the sensor then
// says with what was sent. It watches no kernel: test/e2e does.
package endurance

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Sent is one check-in as its sender remembers it: when, since the first day began, and how many bytes.
type Sent struct {
	At    time.Duration
	Bytes uint64
	By    *Sender
}

// Sender is a program that talks to one destination, or to others each time.
type Sender struct {
	Path    string
	Every   time.Duration // mean time between check-ins
	Jitter  float64       // relative half-width of the intervals; below 0 they are exponential: no rhythm
	Roams   bool          // each time to another destination
	PerExec bool          // each time another process
	Record  []Sent
	random  *rand.Rand
}

// NewSender returns a sender that draws by seed.
func NewSender(seed uint64, path string, every time.Duration, jitter float64) *Sender {
	return &Sender{Path: path, Every: every, Jitter: jitter, random: rand.New(rand.NewPCG(seed, 7))}
}

// Day is the traffic of senders for so long, in order.
func Day(senders []*Sender, long time.Duration) []Sent {
	var all []Sent
	for i, s := range senders {
		for at := time.Duration(i) * time.Second; at < long; at += s.wait() {
			s.Record = append(s.Record, Sent{At: at, Bytes: 151 + uint64(s.random.IntN(5)), By: s})
		}
		all = append(all, s.Record...)
	}
	slices.SortFunc(all, func(a, b Sent) int { return int(a.At - b.At) })
	return all
}

func (s *Sender) wait() time.Duration {
	if s.Jitter < 0 {
		return time.Second + time.Duration(s.random.ExpFloat64()*float64(s.Every-time.Second))
	}
	return time.Duration(float64(s.Every) * (1 + s.Jitter*(2*s.random.Float64()-1)))
}

// Key is whose history it is.
func (s *Sender) Key() *history.Key {
	return &history.Key{Program: process.Program{Path: s.Path, UID: 1000}}
}

// Record files the check-in with store. at is when it was on the time line of the boot.
func (e Sent) Record(store *history.Store, at boottime.Time) {
	n := slices.IndexFunc(e.By.Record, func(o Sent) bool { return o.At == e.At })
	remote := netip.MustParseAddrPort("198.51.100.7:443")
	if e.By.Roams {
		remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), 443)
	}
	id := process.ID{PID: 100, StartTicks: 7}
	if e.By.PerExec {
		id.PID += int32(n)
	}
	store.Record(e.By.Key(), id, &send.Send{Kind: send.Data, At: at, Within: 4 * time.Millisecond, Bytes: e.Bytes, Sends: 1,
		Socket: send.Socket{Cookie: uint64(n + 1), Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"), Remote: remote}})
}

// Beacons are the senders with a rhythm that a day should bring to light, from a minute to an hour.
func Beacons() []*Sender {
	var all []*Sender
	for i, every := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour} {
		for j, jitter := range []float64{0, 0.2} {
			s := NewSender(uint64(10*i+j), fmt.Sprintf("/opt/beacon-%s-%g", every, jitter), every, jitter)
			s.PerExec = j == 0
			all = append(all, s)
		}
	}
	return all
}

// Others have none.
func Others() []*Sender {
	roaming := NewSender(91, "/usr/bin/browser", 10*time.Second, -1)
	roaming.Roams = true
	return []*Sender{NewSender(90, "/usr/bin/chatter", time.Minute, -1), roaming}
}
