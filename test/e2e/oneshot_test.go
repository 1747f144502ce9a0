package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

var oneShots = flag.Int("oneshots", 1000, "processes of each round of TestOneShotProcessesInAnotherNamespace")

// shots runs n processes, one after the other, that each connect, send 333 bytes and are gone in a millisecond or two, and returns
// their PIDs.
func shots(t *testing.T, where *namespace, n int, to string) []int {
	t.Helper()
	host, port, err := net.SplitHostPort(to)
	require.NoError(t, err)
	shell, err := exec.LookPath("bash")
	if err != nil {
		need.Skip(t, "bash is not installed: %v", err)
	}
	pids := make([]int, n)
	for i := range n {
		cmd := exec.Command(shell, "-c", fmt.Sprintf("printf %%0333d 0 >/dev/tcp/%s/%s", host, port))
		where.do(t, func() { err = cmd.Start() })
		require.NoError(t, err)
		pids[i] = cmd.Process.Pid
		require.NoError(t, cmd.Wait())
	}
	return pids
}

// TestOneShotProcessesInAnotherNamespace: processes of another network namespace connect, send and exit at once. Every level counts
// every byte once; how many processes it can name differs, and what it cannot is counted. Nobody is named who did not send. It
// runs alone: whether L1 is in time depends on how busy the host is.
func TestOneShotProcessesInAnotherNamespace(t *testing.T) {
	tests := []struct {
		level, source string // the source is that of the namespace, where eBPF does not see it
		rounds        int
		least         float64 // of the processes, named in the median round
	}{{"L3", "", 1, 0.99}, {"L2", "", 1, 0.99}, {"L1", "packet", 5, 0.5}, {"L0", "sock_diag", 1, 0}}
	for _, tt := range tests {
		t.Run(tt.level, func(t *testing.T) {
			host, outside := network(t)
			launch(t, host, exec.Command("sleep", "90")) // it is there to be found
			s := sensorAt(t, nil, tt.level, "--max_net_namespaces", "64")
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.Equal(c, "1", one(c, s, "SELECT process_events FROM beacon_sensor_status")["process_events"])
			}, patience, 20*time.Millisecond)
			if tt.source != "" {
				host.isWatched(t, s, tt.source)
			}
			var shares []float64
			for range tt.rounds {
				to := sink(t, outside, public4)
				pids := shots(t, host, *oneShots, to)
				where := fmt.Sprintf(" FROM process_outbound_stats WHERE remote_port = %s AND net_namespace = %s", portOf(t, to), host.inode(t))
				require.EventuallyWithT(t, func(c *assert.CollectT) {
					row := one(c, s, "SELECT sum(bytes_sent) AS bytes, sum(connections) AS connections"+where)
					require.EqualValues(c, *oneShots*333, number(c, row, "bytes"))
					require.EqualValues(c, *oneShots, number(c, row, "connections"))
				}, patience, 100*time.Millisecond)
				named := ask(t, s, "SELECT pid, path, bytes_sent"+where+" AND pid > 0")
				for _, row := range named {
					pid, err := strconv.Atoi(row["pid"])
					require.NoError(t, err)
					require.Contains(t, pids, pid)
					require.Contains(t, row["path"], "bash")
					require.Equal(t, "333", row["bytes_sent"], "%v of %v", row, named)
				}
				shares = append(shares, float64(len(named))/float64(*oneShots))
				unnamed := float64(*oneShots - len(named))
				require.GreaterOrEqual(t, number(t, one(t, s, "SELECT unattributed_sends FROM beacon_sensor_status"), "unattributed_sends"), unnamed)
			}
			slices.Sort(shares)
			median := shares[len(shares)/2]
			t.Logf("%s: %.1f %% of %d processes named, in the median of %d rounds (%.1f to %.1f)", tt.level, 100*median, *oneShots, tt.rounds,
				100*shares[0], 100*shares[len(shares)-1])
			require.GreaterOrEqual(t, median, tt.least)
		})
	}
}

// resets is how a process shall make connections that it ends by a reset.
type resets struct {
	Address     string
	Count, Size int
}

func playResets() error {
	var r resets
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		return err
	}
	for range r.Count {
		c, err := net.Dial("tcp", r.Address)
		if err != nil {
			return err
		}
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
		if _, err := c.Write(make([]byte, r.Size)); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// TestResetsAtL2: a program that ends its connections by a reset (SO_LINGER 0) has nothing left for the notice of their end to tell;
// the program in the kernel has it from the socket before.
func TestResetsAtL2(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := sensorAt(t, quiet(t), "L2")
	a := newActor(t, host, "resets")
	to := sink(t, outside, public4)
	a.play(t, "resets", resets{Address: to, Count: 200, Size: 77})
	a.finish(t, patience)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT connections, bytes_sent, remote_port FROM process_outbound_stats WHERE path = "+quoted(a.path))
		require.Equal(c, map[string]string{"connections": "200", "bytes_sent": strconv.Itoa(200 * 77), "remote_port": portOf(t, to)}, row)
	}, patience, 50*time.Millisecond)
}
