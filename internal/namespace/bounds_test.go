package namespace

import (
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// No more are watched than may be; the rest is counted, and takes the place of those that go.
func TestTheNumberWatchedIsBounded(t *testing.T) {
	const places, namespaces = 3, 8
	h := newHost(t)
	var all []resident
	for range namespaces {
		all = append(all, h.settle(t))
	}
	var l log
	c := h.brisk(l.watch)
	c.Max = places
	w := run(t, c)
	require.Eventually(t, func() bool { s := w.Stats(); return s.Watched == places && s.Found == namespaces }, patience, time.Millisecond)
	// a watch begins on a goroutine of its own, a moment after it was counted
	watched := func() (here []resident) {
		for _, r := range all {
			if _, ok := l.watched(r.inode); ok {
				here = append(here, r)
			}
		}
		return here
	}
	require.Eventually(t, func() bool { return len(watched()) == places }, patience, time.Millisecond)
	for _, r := range watched() {
		r.leave()
	}
	require.Eventually(t, func() bool {
		s := w.Stats()
		return s.Left == places && s.Watched == places && s.Found == namespaces-places
	}, patience, time.Millisecond)
}

// unsharing starts a process that makes so many network namespaces for itself, one after the other, and ends.
func (h host) unsharing(t *testing.T, times int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", strconv.Itoa(times))
	cmd.Env = []string{part + "=unshare"}
	require.NoError(t, cmd.Start())
	h.show(t, cmd.Process.Pid)
	return cmd
}

// A process that makes a thousand namespaces in a row has few of them entered, however often one looks, and leaves nothing
// behind; what is there to stay is found all the same.
func TestNamespacesMadeInALoop(t *testing.T) {
	const loops, made = 4, 250
	h := newHost(t)
	before := openFiles(t)
	var l log
	c := h.brisk(l.watch)
	c.Max = patient // so that no credit is left from the start
	w := run(t, c)
	began := time.Now()
	var loopers []*exec.Cmd
	for range loops {
		loopers = append(loopers, h.unsharing(t, made))
	}
	r := h.settle(t)
	require.Eventually(t, func() bool { _, ok := l.watched(r.inode); return ok }, patience, time.Millisecond)
	for _, cmd := range loopers {
		require.NoError(t, cmd.Wait())
	}
	entered := w.Stats().Entered
	require.LessOrEqual(t, float64(entered), patient+perSecond*time.Since(began).Seconds()+1, "of %d made", loops*made)
	r.leave()
	require.Eventually(t, func() bool { s := w.Stats(); return s.Entered == s.Left }, patience, time.Millisecond)
	require.LessOrEqual(t, openFiles(t), before+3) // those of the runtime's poller
}
