package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOneHistoryOverManyInstances: a beacon that is a new process in a new session scope for every beat, and another in a
// new container each, are one history each, although every process has its own row.
func TestOneHistoryOverManyInstances(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	top := cgroups(t)
	s := newSensor(t, host, attentive)
	to := sink(t, outside, public4)
	const beats, every = 20, 700 * time.Millisecond
	tests := []struct {
		name     string
		group    func(i int) string
		instance string // the column that tells the processes apart
		runtime  string
		workload string
	}{
		{"session", func(i int) string { return fmt.Sprintf("user.slice/user-1000.slice/session-%d.scope", 100+i) },
			"systemd_unit", "", "@session.scope"},
		{"container", func(i int) string { return fmt.Sprintf("system.slice/docker-%064x.scope", 0xfeed<<32+i) },
			"container_id", "docker", "@docker"},
	}
	actors := make([]*actor, len(tests))
	for i, test := range tests {
		actors[i] = newActor(t, host, "beat-"+test.name)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for beat := range beats {
		for i, test := range tests {
			actors[i].inGroup(t, filepath.Join(top, test.group(beat)))
			actors[i].send(t, once(to, 250, answer))
		}
		<-tick.C
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := actors[i]
			a.finish(t, patience)
			awaitBytes(t, s, a.path, beats*250)
			processes := one(t, s, fmt.Sprintf(`SELECT count(*) AS rows, count(DISTINCT pid) AS pids, count(DISTINCT %s) AS instances,
				min(container_runtime) AS runtime FROM process_outbound_stats WHERE path = %s`, test.instance, quoted(a.path)))
			require.Equal(t, map[string]string{"rows": "20", "pids": "20", "instances": "20", "runtime": test.runtime}, processes)
			candidate := awaitBeats(t, s, a.path, beats)
			require.Equal(t, "20", candidate["process_count"])
			require.Contains(t, candidate["signature"], test.workload)
			require.InEpsilon(t, medianGap(a.sent(t)), number(t, candidate, "interval_ms"), 0.1)
			require.Equal(t, "250", candidate["size_bytes"])
			require.GreaterOrEqual(t, number(t, candidate, "score"), 0.5, candidate["reason"])
		})
	}
}
