package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// TestKernelInterfacesThatFail lets the calls by which the sensor reads the kernel fail for a while, as they do when memory or
// descriptors are short, while a beacon runs. The tables say so, and afterwards everything is as before.
func TestKernelInterfacesThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		*fault
		says  string // SQL that is 1 once the tables say what went wrong
		level string // afterwards
	}{
		"ENOBUFS when notices are read": {&fault{calls: []int{unix.SYS_RECVFROM}, errno: syscall.ENOBUFS, nth: 5, limit: 20},
			"SELECT gaps > 0 AND lost > 0 AS yes FROM beacon_sensor_sources WHERE source = 'sock_diag'", "L0"},
		"ENOMEM when a dump is asked for": {&fault{calls: []int{unix.SYS_SENDTO}, errno: syscall.ENOMEM, nth: 1, limit: 2},
			"SELECT refused_errno = 12 AND reason LIKE '%cannot allocate memory' AS yes FROM beacon_sensor_sources WHERE source = 'sock_diag'", "proc"},
		"EMFILE when histories are saved": {&fault{calls: []int{unix.SYS_OPENAT}, errno: syscall.EMFILE, nth: 1, limit: 20},
			"SELECT last_error LIKE 'histories are in memory only: %: too many open files' AS yes FROM beacon_sensor_status", "L0"},
	} {
		t.Run(name, func(t *testing.T) {
			host, outside := network(t)
			s, injector := faultySensor(t, host, nil, attentive, "--checkpoint_interval", "1s")
			a := newActor(t, host, "beacon")
			a.send(t, part{Hold: 400 * time.Millisecond, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
				Interval: 500 * time.Millisecond, Size: 151, Reconnect: true, Count: 1000, For: lifetime}})
			seen := func(t require.TestingT) float64 {
				return number(t, one(t, s, "SELECT sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = "+quoted(a.path)), "bytes")
			}
			require.Eventually(t, func() bool { return seen(t) > 151 }, patience, 50*time.Millisecond)
			injector.inject(c.fault)
			require.Eventually(t, func() bool { return injector.injected.Load() >= c.limit }, patience, 50*time.Millisecond)
			require.EventuallyWithT(t, func(e *assert.CollectT) { require.Equal(e, "1", one(e, s, c.says)["yes"]) }, patience, 50*time.Millisecond)
			injector.inject(nil)
			const connections = "SELECT connections, bytes_sent FROM process_outbound_stats WHERE path = "
			before := one(t, s, connections+quoted(a.path))
			require.EventuallyWithT(t, func(e *assert.CollectT) {
				after := one(e, s, connections+quoted(a.path))
				require.GreaterOrEqual(e, number(e, after, "connections"), number(e, before, "connections")+4)
				if c.level == "L0" { // below it nobody counts bytes
					require.GreaterOrEqual(e, number(e, after, "bytes_sent"), number(e, before, "bytes_sent")+4*151)
				}
			}, patience, 100*time.Millisecond)
			require.Equal(t, c.level, one(t, s, "SELECT level FROM beacon_sensor_status")["level"])
			require.Zero(t, s.stop(t))
		})
	}
}
