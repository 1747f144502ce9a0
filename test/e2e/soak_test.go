package e2e

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// soaking is how long TestSoak runs; make soak sets it.
var soaking = flag.Duration("soak", 20*time.Second, "how long to run everything against live churn")

// reading is what is held of the sensor at one moment.
type reading struct{ resident, descriptors, goroutines int }

// TestSoak runs everything at once: senders of every kind that come and go, an osquery that asks and is restarted, checkpoints,
// rule files that change, a reload every few seconds. After the first third, in which bounded memories fill, nothing grows. Less
// than ten minutes fill none of them: memory is then held to its ceiling only.
func TestSoak(t *testing.T) {
	const turn = time.Second
	host, outside := network(t)
	outside.ip(t, "route add local 198.18.0.0/15 dev lo")
	drain := newActor(t, outside, "drain").play(t, "drain", "0.0.0.0:443")
	require.Eventually(t, func() bool { return contains(drain.out, "listening") }, patience, 10*time.Millisecond)
	to, toUDP := sink(t, outside, public4), sinkFor(t, outside, "udp", public4)
	dir := room(t)
	rules, at := filepath.Join(dir, "rules"), filepath.Join(dir, "em")
	require.NoError(t, os.Mkdir(rules, 0o755))
	daemon := newOsqueryd(t, at)
	s := startSensor(t, host, dir, append(asExtension(at), "--level", "L3", "--checkpoint_interval", "10s", "--max_bursts", "64",
		"--inventory_dir", rules)...)
	awaitTables(t, daemon)

	beacon, datagrams, waves := newActor(t, host, "beacon"), newActor(t, host, "datagrams"), newActor(t, host, "wave")
	destinations := netip.MustParseAddr("198.18.0.1")
	var readings []reading
	began, restarted, first := time.Now(), time.Now(), destinations
	for round := 0; time.Since(began) < *soaking; round++ {
		next := time.After(turn)
		if round%60 == 0 { // a process lives for a minute
			for _, p := range []simulate.SenderConfig{{Network: "tcp", Address: to, Reconnect: true}, {Network: "udp", Address: toUDP}} {
				p.Shape, p.Interval, p.Size, p.Count, p.For = simulate.Beat, 500*time.Millisecond, 151, 1_000_000, time.Minute
				map[string]*actor{"tcp": beacon, "udp": datagrams}[p.Network].send(t, part{SenderConfig: p})
			}
		}
		crowd := waves.play(t, "wave", wave{First: first, Port: 443, Processes: 20, PerProcess: 5})
		if first = netip.AddrFrom4([4]byte{198, 18, byte(round % 5), 1}); round%5 == 0 {
			first = destinations
		}
		if round%10 == 9 {
			require.NoError(t, os.WriteFile(filepath.Join(rules, "soak.yaml"), []byte(rulesOf(round)), 0o644))
			require.NoError(t, syscall.Kill(s.pid(), syscall.SIGHUP))
		}
		for _, sql := range []string{"SELECT * FROM beacon_candidates WHERE score > 0.5", "SELECT path, sum(bytes_sent) FROM process_outbound_stats GROUP BY path",
			"SELECT * FROM beacon_sensor_status", "SELECT * FROM beacon_sensor_sources", "SELECT * FROM process_network_baseline",
			"SELECT count(*) FROM process_send_history WHERE path = " + quoted(beacon.path), "SELECT * FROM beacon_inventory_rules"} {
			ask(t, daemon, sql)
		}
		if time.Since(restarted) > *soaking/6 {
			restarted = time.Now()
			daemon.stop(t)
			daemon = newOsqueryd(t, at)
			awaitTables(t, daemon)
		}
		readings = append(readings, reading{memoryOf(t, s.pid(), "VmRSS"), openDescriptors(t, s.pid()),
			int(number(t, one(t, s, "SELECT goroutines FROM beacon_sensor_status"), "goroutines"))})
		if round%60 == 0 {
			t.Logf("%s: %+v %v", time.Since(began).Round(time.Second), readings[len(readings)-1],
				one(t, s, "SELECT tracked_pairs, evictions, history_size, send_events, unattributed_sends, lost_events, last_error, user_time + system_time AS cpu FROM beacon_sensor_status"))
		}
		requireMute(t, s.pid())
		<-next
		crowd.kill()
		waves.records = waves.records[:0]
	}
	row := one(t, daemon, "SELECT beats, score FROM beacon_candidates WHERE scope = 'destination' AND path = "+quoted(beacon.path))
	require.Greater(t, number(t, row, "score"), 0.9, "%v", row)

	before, after := middle(readings[len(readings)/3:2*len(readings)/3]), middle(readings[2*len(readings)/3:])
	t.Logf("second third %+v, last third %+v", before, after)
	require.LessOrEqual(t, after.resident, ceiling)
	require.Less(t, memoryOf(t, s.pid(), "VmHWM"), watchdog)
	require.LessOrEqual(t, after.descriptors, before.descriptors+2)
	require.LessOrEqual(t, after.goroutines, before.goroutines+2)
	if *soaking >= 10*time.Minute {
		require.LessOrEqual(t, float64(after.resident), 1.02*float64(before.resident))
	}
}

// rulesOf are rules of an operator, others in every round.
func rulesOf(round int) string {
	return fmt.Sprintf(`rules:
  - name: soak-%d
    comment: for the soak
    owner: soak@example.org
    expires: %d-01-01
    program: {path: /opt/soak/agent-%d}
    destinations: [{cidr: 198.18.%d.0/24, port: 443}]
    period: 5m
`, round, time.Now().Year()+1, round, round%256)
}

// middle are the medians of readings.
func middle(readings []reading) reading {
	of := func(field func(reading) int) int {
		var all []int
		for _, r := range readings {
			all = append(all, field(r))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return reading{of(func(r reading) int { return r.resident }), of(func(r reading) int { return r.descriptors }),
		of(func(r reading) int { return r.goroutines })}
}
