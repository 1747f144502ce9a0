package e2e

import (
	"fmt"
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
	t.Parallel()
	const sources = "SELECT %s AS yes FROM beacon_sensor_sources WHERE protocol = 'tcp' AND source = "
	for name, c := range map[string]struct {
		level   string
		failing []step
	}{
		"ENOBUFS when notices are read": {"L0", []step{{&fault{calls: []int{unix.SYS_RECVFROM}, errno: syscall.ENOBUFS, nth: 5, limit: 20},
			fmt.Sprintf(sources, "gaps > 0 AND lost > 0") + "'sock_diag'"}}},
		"ENOMEM when a dump is asked for, then EMFILE for the next socket": {"L0", []step{
			{&fault{calls: []int{unix.SYS_SENDTO}, errno: syscall.ENOMEM, nth: 1},
				fmt.Sprintf(sources, "refused_errno = 12 AND active = 0 AND reason LIKE '%cannot allocate memory'") + "'sock_diag'"},
			{&fault{calls: []int{unix.SYS_SOCKET}, errno: syscall.EMFILE, nth: 1},
				fmt.Sprintf(sources, "refused_errno = 24 AND active = 0 AND reason LIKE '%too many open files'") + "'sock_diag'"}}},
		"EMFILE when histories are saved": {"L0", []step{{&fault{calls: []int{unix.SYS_OPENAT}, errno: syscall.EMFILE, nth: 1, limit: 20},
			"SELECT last_error LIKE 'histories are in memory only: %: too many open files' AS yes FROM beacon_sensor_status"}}},
		"ENOMEM from eBPF": {"L3", []step{{&fault{calls: []int{unix.SYS_BPF}, errno: syscall.ENOMEM, nth: 1},
			"SELECT level = 'L1' AND level_reason LIKE '%ebpf%cannot allocate memory%' AS yes FROM beacon_sensor_status"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, outside := network(t)
			s, injector := faultySensor(t, host, nil, attentive, "--checkpoint_interval", "1s", "--level", c.level)
			s.standsOn(t, c.level)
			a := newActor(t, host, "beacon")
			a.send(t, part{Hold: 400 * time.Millisecond, SenderConfig: simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4),
				Interval: 500 * time.Millisecond, Size: 151, Reconnect: true, Count: 1000, For: lifetime}})
			totals := func(t require.TestingT) (connections, bytes float64) {
				row := one(t, s, "SELECT sum(connections) AS connections, sum(bytes_sent) AS bytes FROM process_outbound_stats WHERE path = "+quoted(a.path))
				return number(t, row, "connections"), number(t, row, "bytes")
			}
			require.EventuallyWithT(t, func(e *assert.CollectT) {
				_, bytes := totals(e)
				require.Greater(e, bytes, 151.)
			}, patience, 50*time.Millisecond)
			for _, f := range c.failing {
				injector.inject(f.fault)
				require.Eventually(t, func() bool { return injector.injected.Load() >= max(f.limit, 1) }, patience, 50*time.Millisecond)
				require.EventuallyWithT(t, func(e *assert.CollectT) { require.Equal(e, "1", one(e, s, f.says)["yes"]) }, patience, 50*time.Millisecond)
			}
			injector.inject(nil)
			require.EventuallyWithT(t, func(e *assert.CollectT) {
				status := one(e, s, "SELECT level, level_reason FROM beacon_sensor_status")
				require.Equal(e, c.level, status["level"])
				require.Empty(e, status["level_reason"])
			}, 2*patience, 50*time.Millisecond)
			connections, bytes := totals(t)
			require.EventuallyWithT(t, func(e *assert.CollectT) {
				more, further := totals(e)
				require.GreaterOrEqual(e, more, connections+4)
				require.GreaterOrEqual(e, further, bytes+4*151)
			}, patience, 100*time.Millisecond)
			require.Zero(t, s.stop(t))
		})
	}
}

// step is a fault, and what the tables say of it: SQL that is 1 then.
type step struct {
	*fault
	says string
}
