package attribution

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// cpu is the CPU time used by this process, or by the children it has waited for.
func cpu(t testing.TB, who int) time.Duration {
	var u unix.Rusage
	require.NoError(t, unix.Getrusage(who, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flood has a shell start processes: forks of its own, and in every tenth a program.
func flood(t testing.TB, processes string) {
	const script = `i=0; while [ $i -lt $1 ]; do (:); i=$((i+1)); case $i in *0) /bin/true;; esac; done`
	require.NoError(t, exec.Command("/bin/sh", "-c", script, "flood", processes).Run())
}

// TestFloodOfProcesses costs no more than the budget; what was left out for that is counted, and afterwards everything is
// as before.
func TestFloodOfProcesses(t *testing.T) {
	const share = 0.02
	const saved = 40 * time.Millisecond
	r := resolver(t, Config{Share: share, MaxProcesses: 256})
	r.witness.budget.burst, r.witness.budget.credit = saved, saved
	r.witness.receive = 256 << 10
	ran(t, r)
	require.Eventually(t, func() bool {
		e := r.Stats().Events
		return e.Active || e.Refused != nil
	}, waitAtMost, pollEvery)
	if e := r.Stats().Events; !e.Active {
		need.Skip(t, "process events: %v", e.Refused)
	}
	ours, theirs, began := cpu(t, unix.RUSAGE_SELF), cpu(t, unix.RUSAGE_CHILDREN), time.Now()
	flood(t, "5000")
	took := time.Since(began)
	ours, theirs = cpu(t, unix.RUSAGE_SELF)-ours, cpu(t, unix.RUSAGE_CHILDREN)-theirs
	e := r.Stats().Events
	t.Logf("5000 processes: they used %v of CPU in %v, following them %v (%.1f %% of a core); %+v", theirs, took, ours,
		100*ours.Seconds()/took.Seconds(), e)
	allowed := saved + time.Duration(share*float64(took))
	require.Less(t, time.Duration(e.Seen)*eventCost, allowed, "as many events as the budget pays for")
	require.Less(t, ours, theirs/4)
	require.Positive(t, e.Skipped)
	require.Positive(t, e.Pauses)
	require.Positive(t, e.Lost)
	require.LessOrEqual(t, e.Kin, 256)

	require.Eventually(t, func() bool {
		r.witness.catchUp()
		cmd := helper("nothing")
		require.NoError(t, cmd.Run())
		_, _, ok := r.OwnerOf(sent(cmd.Process.Pid, boottime.Now(), 0))
		return ok
	}, 2*waitAtMost, 50*time.Millisecond, "seen again")
}

// TestLostEvents: while nobody reads, the kernel drops events. Then everybody is looked at again.
func TestLostEvents(t *testing.T) {
	r := resolver(t, Config{})
	r.witness.receive = 32 << 10
	ran(t, r)
	require.Eventually(t, func() bool {
		e := r.Stats().Events
		return e.Active || e.Refused != nil
	}, waitAtMost, pollEvery)
	if e := r.Stats().Events; !e.Active {
		need.Skip(t, "process events: %v", e.Refused)
	}
	staying, leaving, changing := exec.Command("/bin/sleep", "600"), exec.Command("/bin/sleep", "600"),
		exec.Command("/bin/sh", "-c", "read go; exec /bin/sleep 600")
	stdin, err := changing.StdinPipe()
	require.NoError(t, err)
	running(t, staying)
	running(t, leaving)
	running(t, changing)
	of := func(cmd *exec.Cmd) (path string, ended bool) {
		r.mu.RLock()
		defer r.mu.RUnlock()
		k := r.lineage.at(int32(cmd.Process.Pid), 0)
		if k == nil {
			return "", false
		}
		if k.image != nil {
			path = k.image.info.Program.Path
		}
		return path, k.ended != 0
	}
	require.Eventually(t, func() bool {
		a, _ := of(staying)
		b, _ := of(leaving)
		c, _ := of(changing)
		return a == b && a != "" && c != "" && c != a
	}, waitAtMost, pollEvery)
	sleep, _ := of(staying)

	r.mu.Lock() // nobody takes note of anything
	flood(t, "200")
	end(leaving)
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	r.mu.Unlock()
	require.Eventually(t, func() bool {
		e := r.Stats().Events
		path, ended := of(changing)
		_, gone := of(leaving)
		return e.Lost > 0 && e.Relists > 0 && gone && path == sleep && !ended
	}, waitAtMost, pollEvery)
	path, ended := of(staying)
	require.Equal(t, sleep, path)
	require.False(t, ended)
	require.False(t, r.doubtful())
	_, _, ok := r.OwnerOf(sent(leaving.Process.Pid, boottime.Now(), 1))
	require.False(t, ok, "what it ran in the end is not certain")
	t.Logf("%+v", r.Stats().Events)
}
