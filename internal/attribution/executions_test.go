package attribution

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// dictation tells executions, and then fails.
type dictation []Execution

var errDictation = errors.New("no more")

func (d *dictation) Next(to *Execution) (bool, error) {
	if len(*d) == 0 {
		return false, errDictation
	}
	*to, *d = (*d)[0], (*d)[1:]
	return true, nil
}

func (d *dictation) Close() error { return nil }

func executed(pid int32, at int64, path string) Execution {
	return Execution{At: at, ID: process.ID{PID: pid, StartTicks: 1}, Path: path}
}

func TestTheLastProgramExecutedByATime(t *testing.T) {
	x := executions{from: &dictation{executed(7, 100, "/a"), executed(8, 110, "/other"), executed(7, 120, "/b"), executed(7, 200, "/c")}}
	_, ok := x.of(7, 99)
	require.False(t, ok, "not yet")
	require.Nil(t, x.from, "it has failed; what it told before counts")
	e, ok := x.of(7, 150)
	require.True(t, ok)
	require.Equal(t, "/b", e.Path)
	_, ok = x.of(7, 150)
	require.False(t, ok, "once")
	e, ok = x.of(7, 200)
	require.True(t, ok)
	require.Equal(t, "/c", e.Path)
	require.Len(t, x.byPID, 1)
}

func TestExecutionsAreForgotten(t *testing.T) {
	var d dictation
	for i := range int32(3 * maxExecutions) {
		d = append(d, executed(i, int64(i), "/x"))
	}
	x := executions{from: &d}
	x.take()
	require.Len(t, x.byPID, maxExecutions)
	d = dictation{executed(1, 1000*keepExecution, "/y")}
	x.from = &d
	x.take()
	require.Len(t, x.byPID, 1)
	require.Len(t, x.order, 1)
}

func TestImageOfAnExecution(t *testing.T) {
	r, err := New(Config{Redact: func(s string) string { return strings.ReplaceAll(s, "secret", "*") }})
	require.NoError(t, err)
	e := Execution{Name: "sh", Path: "/usr/bin/dash", Cwd: "/srv", Args: []string{"sh", "job.sh", "secret"}, UID: 33, NetNS: 9, Stack: 5,
		Cgroup: "/system.slice/docker-" + strings.Repeat("0a", 32) + ".scope"}
	parent := &image{}
	inGroup(&parent.info, "/system.slice/cron.service")
	parent.info.Program.UID = 1
	r.unified = true
	for _, handed := range []*image{nil, parent} {
		i := r.image(&e, handed)
		require.Equal(t, process.Program{Path: "/usr/bin/dash", Script: "/srv/job.sh", UID: 33, Workload: "docker"}, i.info.Program)
		require.Equal(t, "sh job.sh *", i.info.Cmdline)
		require.Equal(t, "docker", i.info.ContainerRuntime)
		require.EqualValues(t, 9, i.info.NetNS)
		require.EqualValues(t, 5, i.stack)
	}
	e.Cgroup = "/"
	require.Equal(t, "", r.image(&e, parent).info.Program.Workload, "it has left the group of its parent")

	r.unified = false
	i := r.image(&e, parent)
	require.Equal(t, "cron.service", i.info.Program.Workload, "the unified hierarchy does not tell")
	require.EqualValues(t, 33, i.info.Program.UID)
}
