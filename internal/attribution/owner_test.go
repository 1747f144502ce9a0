package attribution

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

func TestOwnerOfALiveSocket(t *testing.T) {
	cmd, sockets := holding(t, 1, "/bin/sleep")
	r := resolver(t, Config{})
	want := identity(t, r, int32(cmd.Process.Pid))
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, want, id)
	sleep, err := os.Readlink("/proc/" + text(cmd.Process.Pid) + "/exe")
	require.NoError(t, err)
	require.Equal(t, sleep, program.Path)
	require.EqualValues(t, os.Getuid(), program.UID)
	require.Empty(t, program.Script)

	info, ok := r.Process(id)
	require.True(t, ok)
	require.Equal(t, program, info.Program)
	require.Equal(t, "sleep", info.Name)
	require.Equal(t, "/bin/sleep 600", info.Cmdline)
	require.EqualValues(t, os.Getpid(), info.Parent.PID)
	require.NotZero(t, info.NetNS)

	s := r.Stats()
	require.EqualValues(t, 1, s.Misses)
	require.Zero(t, s.FullScans, "the newest process was looked at first")
}

func TestOwnerHitAllocatesNothing(t *testing.T) {
	cmd, sockets := holding(t, 1, "/bin/sleep")
	r := resolver(t, Config{})
	_, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	scans := r.Stats().Scans
	byCookie := func() { _, _, ok = r.Owner(sockets[0], 0) }
	require.Zero(t, testing.AllocsPerRun(1000, byCookie))
	require.True(t, ok)
	bySender := func() { _, _, ok = r.Owner(sockets[0], int32(cmd.Process.Pid)) }
	bySender()
	require.Zero(t, testing.AllocsPerRun(1000, bySender))
	require.True(t, ok)
	unowned := send.Socket{Cookie: 1 << 60, Inode: 1 << 60}
	r.Owner(unowned, 0)
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _, ok = r.Owner(unowned, 0) }))
	require.False(t, ok)
	s := r.Stats()
	require.Greater(t, s.Hits, uint64(3000))
	require.Greater(t, s.Scans, scans, "the unowned one was looked for once")
}

func TestUnattributedIsCountedAndNotLookedForEachTime(t *testing.T) {
	r := resolver(t, Config{})
	s := send.Socket{Cookie: 1 << 60, Inode: 1 << 60, UID: 12345}
	for range 100 {
		id, program, ok := r.Owner(s, 0)
		require.False(t, ok)
		require.Zero(t, id)
		require.Equal(t, process.Program{UID: 12345}, program, "only what the socket says")
		require.False(t, program.Attributed())
	}
	stats := r.Stats()
	require.EqualValues(t, 100, stats.Unattributed)
	require.EqualValues(t, 1, stats.FullScans)
	require.EqualValues(t, 1, stats.Misses)
}

func TestClosingSocketWithoutInode(t *testing.T) {
	r := resolver(t, Config{})
	_, _, ok := r.Owner(send.Socket{Cookie: 77}, 0)
	require.False(t, ok)
	require.Zero(t, r.Stats().Scans, "no process can hold it")
	require.Zero(t, r.Stats().Sockets)

	_, sockets := holding(t, 1, "/bin/sleep")
	want, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	sockets[0].Inode = 0 // FIN_WAIT: the process has closed it
	got, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok, "remembered by its cookie")
	require.Equal(t, want, got)
}

func TestForget(t *testing.T) {
	_, sockets := holding(t, 2, "/bin/sleep")
	r := resolver(t, Config{})
	for _, s := range sockets {
		_, _, ok := r.Owner(s, 0)
		require.True(t, ok)
	}
	require.Equal(t, 2, r.Stats().Sockets)
	r.Forget(sockets[0])
	require.Equal(t, 1, r.Stats().Sockets)
	r.Forget(sockets[0])
	require.Equal(t, 1, r.Stats().Sockets, "forgetting twice is harmless")
}

func TestSocketsWithoutCookie(t *testing.T) {
	cmd, sockets := holding(t, 1, "/bin/sleep")
	s := sockets[0]
	s.Cookie = 0
	r := resolver(t, Config{})
	id, _, ok := r.Owner(s, 0)
	require.True(t, ok)
	require.EqualValues(t, cmd.Process.Pid, id.PID)
	require.EqualValues(t, 1, r.Stats().Sockets)
	r.Forget(s)
	require.Zero(t, r.Stats().Sockets)
	_, _, ok = r.Owner(send.Socket{}, 0)
	require.False(t, ok)
	require.Zero(t, r.Stats().Sockets, "a socket without a name is not remembered")
}

func TestSenderOverrulesHolder(t *testing.T) {
	holder, sockets := holding(t, 1, "/bin/sleep")
	sender := exec.Command("/bin/sleep", "600")
	pid := running(t, sender)
	r := resolver(t, Config{})
	id, _, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.EqualValues(t, holder.Process.Pid, id.PID)
	id, _, ok = r.Owner(sockets[0], pid)
	require.True(t, ok)
	require.Equal(t, identity(t, r, pid), id)
	id, _, ok = r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.EqualValues(t, holder.Process.Pid, id.PID, "other sends of the socket keep its holder")
}

func TestSenderNamesASocketNobodyScanned(t *testing.T) {
	cmd, sockets := holding(t, 1, "/bin/sleep")
	r := resolver(t, Config{})
	want, _, ok := r.Owner(sockets[0], int32(cmd.Process.Pid))
	require.True(t, ok)
	require.Zero(t, r.Stats().Scans)
	closing := sockets[0]
	closing.Inode = 0
	got, _, ok := r.Owner(closing, 0)
	require.True(t, ok)
	require.Equal(t, want, got)
}

func TestSenderThatHasEnded(t *testing.T) {
	_, sockets := holding(t, 1, "/bin/sleep")
	gone := exec.Command("/bin/true")
	require.NoError(t, gone.Run())
	r := resolver(t, Config{})
	_, _, ok := r.Owner(send.Socket{Cookie: 5}, int32(gone.Process.Pid))
	require.False(t, ok)
	require.EqualValues(t, 1, r.Stats().Vanished)
	_, _, ok = r.Owner(sockets[0], int32(gone.Process.Pid))
	require.True(t, ok, "a holder is better than nobody")
}

func TestKernelThreadAsSender(t *testing.T) {
	r := resolver(t, Config{})
	const kthreadd = 2
	if e, err := newEnricher(r).stat(kthreadd); err != nil || !e.KernelThread() {
		need.Skip(t, "no kernel threads in this PID namespace")
	}
	id, program, ok := r.Owner(send.Socket{Cookie: 9}, kthreadd)
	require.True(t, ok)
	require.Zero(t, id)
	require.Equal(t, process.Program{Path: process.Kernel}, program)
}

func TestNewRefusesNonsense(t *testing.T) {
	for name, c := range map[string]Config{"sockets": {MaxSockets: -1}, "processes": {MaxProcesses: -1}, "text": {MaxText: -1},
		"share": {Share: 1.5}, "time": {KeepExited: -1}, "scans": {FullScanEvery: -1}} {
		_, err := New(c)
		require.Error(t, err, name)
	}
	_, err := New(Config{})
	require.NoError(t, err)
}

func TestSelf(t *testing.T) {
	id, err := Self()
	require.NoError(t, err)
	require.Equal(t, identity(t, resolver(t, Config{}), int32(os.Getpid())), id)
}
