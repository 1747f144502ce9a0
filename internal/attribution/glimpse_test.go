package attribution

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// imageOf returns the program a process was witnessed to run, nil if it was not.
func (r *Resolver) imageOf(pid int) *image {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if k := r.lineage.living(int32(pid)); k != nil {
		return k.image
	}
	return nil
}

// TestGlimpse: of a young process one look is enough, and what it saw counts when nobody holds the socket any more.
func TestGlimpse(t *testing.T) {
	r := witnessing(t, Config{})
	cmd, sockets := holding(t, 1, "/bin/sleep")
	s := sockets[0]
	require.Eventually(t, func() bool { return r.imageOf(cmd.Process.Pid) != nil }, waitAtMost, pollEvery)
	before := r.Stats()
	r.Glimpse(s)
	require.Zero(t, r.Stats().FullScans-before.FullScans)
	require.LessOrEqual(t, r.Stats().Scans-before.Scans, uint64(maxLively))
	end(cmd)
	over := send.Send{Socket: s, Kind: send.Close, At: 1}
	over.Socket.Inode = 0
	id, program, ok := r.OwnerOf(&over)
	require.True(t, ok)
	require.EqualValues(t, cmd.Process.Pid, id.PID)
	want, err := filepath.EvalSymlinks("/bin/sleep")
	require.NoError(t, err)
	require.Equal(t, want, program.Path)
}

// TestGlimpseAtWhoIsNotWitnessed: where events are not read, for lack of budget, the numbers given last tell who is young.
func TestGlimpseAtWhoIsNotWitnessed(t *testing.T) {
	r := resolver(t, Config{})
	r.witness.budget = budget{share: 1e-6, burst: burst, last: sinceBoot()}
	ran(t, r)
	require.Eventually(t, func() bool {
		require.NoError(t, exec.Command("/bin/true").Run()) // on a quiet host nothing else makes an event
		active, _ := r.witness.state()
		return active && r.Stats().Events.Pauses > 0
	}, waitAtMost, pollEvery)
	require.Eventually(t, func() bool { // others on this host start processes too
		cmd, sockets := holding(t, 1, "/bin/sleep")
		before := r.Stats().Scans
		r.Glimpse(sockets[0])
		id, _, ok := r.Owner(sockets[0], 0)
		return ok && int(id.PID) == cmd.Process.Pid && r.Stats().Scans == before
	}, waitAtMost, pollEvery)
	require.Zero(t, r.Stats().Events.Read)

	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		require.NoError(t, err)
		require.Equal(t, tid == os.Getpid(), r.scanner.leads(int32(tid)))
	}
}

func TestUnwitnessed(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "loadavg"), []byte("0.20 0.18 0.12 1/80 105\n"), 0o600))
	s := scanner{fs: procfs.New(root)}
	for newest, want := range map[int32][]int32{105: nil, 104: {105}, 102: {105, 104, 103}, 7: {105, 104, 103, 102}, 3000: {105, 104, 103, 102}} {
		var got []int32
		for _, id := range s.unwitnessed(nil, newest) {
			require.Zero(t, id.StartTicks)
			got = append(got, id.PID)
		}
		require.Equal(t, want, got, "after %d", newest)
	}
}

// TestGlimpseLeavesWhatIsKnown: a sample may show the socket while others are being looked for, and two answers would be two rows.
func TestGlimpseLeavesWhatIsKnown(t *testing.T) {
	r := witnessing(t, Config{})
	_, sockets := holding(t, 1, "/bin/sleep")
	s, known := sockets[0], &entry{}
	r.scanning.Lock()
	done := make(chan struct{})
	go func() { defer close(done); r.Glimpse(s) }()
	select {
	case <-done:
		t.Error("it did not wait for its turn")
	case <-time.After(20 * time.Millisecond):
	}
	r.mu.Lock()
	r.sockets.remember(keyOf(s), socket{owner: known})
	r.mu.Unlock()
	r.scanning.Unlock()
	<-done
	r.mu.RLock()
	defer r.mu.RUnlock()
	require.Same(t, known, r.sockets.byKey[keyOf(s)].owner)
}

// TestGlimpseComesToNoConclusion: a socket nobody young holds stays unknown, for Owner to look for.
func TestGlimpseComesToNoConclusion(t *testing.T) {
	files, sockets := openSockets(t, 1)
	defer files[0].Close()
	r := witnessing(t, Config{})
	r.Glimpse(send.Socket{Cookie: 77, Inode: 1 << 40})
	require.Empty(t, r.sockets.byKey)
	id, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.EqualValues(t, os.Getpid(), id.PID)
}

// TestNobodyHoldsWhatIsOver: the owner of a socket that has ended is not looked for.
func TestNobodyHoldsWhatIsOver(t *testing.T) {
	p, r, scans := settled(t, Config{})
	p.add(member{pid: 9, parent: 1, ticks: 5, exe: "/bin/curl", sockets: []uint64{1001}})
	for _, kind := range []send.Kind{send.Close, send.Failed} {
		_, _, ok := r.OwnerOf(&send.Send{Socket: sock(1, 1001), Kind: kind, At: 1})
		require.False(t, ok)
		require.Equal(t, scans, r.Stats().Scans)
	}
	id, _, ok := r.OwnerOf(&send.Send{Socket: sock(1, 1001), Kind: send.Data, At: 1})
	require.True(t, ok)
	require.EqualValues(t, 9, id.PID)
}

func TestYoungest(t *testing.T) {
	var l lineage
	l.limit, l.textLimit = 100, 1<<20
	for pid := range int32(30) {
		k := l.begin(process.ID{PID: pid, StartTicks: 1}, int64(pid))
		i := &image{}
		i.info.NetNS = uint64(pid % 2)
		read := k.born + 1
		if pid == 25 {
			read = k.born // it is its parent's
		}
		l.show(k, i, read)
	}
	l.end(l.living(27), 100)
	pids := func(after int64, netns uint64) (all []int32) {
		for _, id := range l.youngest(nil, after, netns) {
			all = append(all, id.PID)
		}
		return all
	}
	require.Equal(t, []int32{29, 28, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14}, pids(0, 1), "as many as are kept")
	require.Equal(t, []int32{28, 26, 25}, pids(25, 3), "those of unknown namespace count, or that may have left their parent's, those of "+
		"another do not")
}

// TestProcessesWitnessedAreNotReadAgain: the owner's program is known from its execution.
func TestProcessesWitnessedAreNotReadAgain(t *testing.T) {
	r := witnessing(t, Config{})
	cmd, sockets := holding(t, 1, "/bin/sleep")
	require.Eventually(t, func() bool {
		i := r.imageOf(cmd.Process.Pid)
		return i != nil && i.info.Name == "sleep"
	}, waitAtMost, pollEvery)
	image := r.imageOf(cmd.Process.Pid)
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, image.info.Program, program)
	info, ok := r.Process(id)
	require.True(t, ok)
	require.Equal(t, image.info.Cmdline, info.Cmdline)
	require.EqualValues(t, os.Getpid(), info.Parent.PID)
}
