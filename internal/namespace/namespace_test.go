package namespace

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/netns"
	"github.com/beaconwatch/beaconwatch/test/need"
)

const patience = 10 * time.Second

// part makes this binary a process that a test needs: "sleep" waits for its end, "unshare" makes a new network namespace for
// itself as often as it is told, and then waits.
const part = "BEACONWATCH_NAMESPACE_PART"

func TestMain(m *testing.M) {
	switch os.Getenv(part) {
	case "unshare":
		runtime.LockOSThread()
		times, err := strconv.Atoi(os.Args[1])
		for range times {
			if err == nil {
				err = unix.Unshare(unix.CLONE_NEWNET)
			}
		}
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("done")
		fallthrough
	case "sleep":
		os.Stdin.Read(make([]byte, 1)) // until its end
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// host is a proc file system that shows only this process and those of one test.
type host string

func newHost(t testing.TB) host {
	h := host(t.TempDir())
	require.NoError(t, os.Symlink("/proc/thread-self", filepath.Join(string(h), "thread-self")))
	h.show(t, os.Getpid())
	return h
}

func (h host) show(t testing.TB, pid int) {
	t.Helper()
	name := strconv.Itoa(pid)
	require.NoError(t, os.Symlink("/proc/"+name, filepath.Join(string(h), name)))
}

// resident is a process in a network namespace of its own.
type resident struct {
	pid   int
	inode uint64
	leave func()
}

// settle starts a process in a new network namespace.
func (h host) settle(t testing.TB) resident {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{part + "=sleep"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	if err := cmd.Start(); err != nil {
		need.Skip(t, "a network namespace needs CAP_SYS_ADMIN: %v", err)
	}
	leave := sync.OnceFunc(func() {
		in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(leave)
	h.show(t, cmd.Process.Pid)
	var st unix.Stat_t
	require.NoError(t, unix.Stat("/proc/"+strconv.Itoa(cmd.Process.Pid)+"/ns/net", &st))
	return resident{cmd.Process.Pid, st.Ino, leave}
}

// log is what was watched, and how often.
type log struct {
	mu      sync.Mutex
	now     map[uint64]Namespace
	entered map[uint64]int
}

func (l *log) watch(ctx context.Context, n Namespace) {
	l.mu.Lock()
	if l.now == nil {
		l.now, l.entered = make(map[uint64]Namespace), make(map[uint64]int)
	}
	l.now[n.Inode] = n
	l.entered[n.Inode]++
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.now, n.Inode)
}

func (l *log) watched(inode uint64) (n Namespace, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok = l.now[inode]
	return n, ok
}

func (l *log) times(inode uint64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entered[inode]
}

// run runs a Watcher until the test ends.
func run(t testing.TB, c Config) *Watcher {
	t.Helper()
	w, err := New(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		s := w.Stats()
		require.Equal(t, s.Entered, s.Left)
		require.Zero(t, s.Watched)
	})
	return w
}

func (h host) brisk(watch func(context.Context, Namespace)) Config {
	return Config{Root: string(h), Watch: watch, Every: 2 * time.Millisecond, Discover: 5 * time.Millisecond, Share: 1}
}

func TestNamespacesComeAndGo(t *testing.T) {
	h := newHost(t)
	first := h.settle(t)
	var l log
	w := run(t, h.brisk(l.watch))
	there := func(r resident) func() bool { return func() bool { _, ok := l.watched(r.inode); return ok } }
	require.Eventually(t, there(first), patience, time.Millisecond)
	second := h.settle(t)
	require.Eventually(t, there(second), patience, time.Millisecond)
	n, _ := l.watched(first.inode)
	require.True(t, n.Found)
	m, _ := l.watched(second.inode)
	require.False(t, m.Found, "it came later")
	require.EqualValues(t, second.pid, m.PID)

	own, err := os.Stat("/proc/self/ns/net")
	require.NoError(t, err)
	_, watched := l.watched(own.Sys().(*syscall.Stat_t).Ino)
	require.False(t, watched, "our own is not another")

	second.leave()
	require.Eventually(t, func() bool { return !there(second)() }, patience, time.Millisecond)
	require.True(t, there(first)())
	require.Equal(t, 1, l.times(first.inode))
	require.NoError(t, w.Stats().LastError)
}

// While nobody has anything to watch, namespaces are looked for at the pace of Rest.
func TestNothingToWatchIsRest(t *testing.T) {
	h := newHost(t)
	h.settle(t)
	var busy, idle log
	run(t, h.brisk(busy.watch))
	resting := h.brisk(func(ctx context.Context, n Namespace) {
		ctx, stop := context.WithCancel(ctx)
		stop()
		idle.watch(ctx, n)
	})
	resting.Rest = time.Hour
	w := run(t, resting)
	require.Eventually(t, func() bool { return w.Stats().Found > 0 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		r := h.settle(t)
		require.Eventually(t, func() bool { _, ok := busy.watched(r.inode); return ok }, patience, time.Millisecond)
		return idle.times(r.inode) == 0
	}, patience, time.Millisecond)
}

// The gate turns when a socket comes or goes, and not otherwise.
func TestTheGateTurnsWithTheSockets(t *testing.T) {
	h := newHost(t)
	r := h.settle(t)
	var l log
	run(t, h.brisk(l.watch))
	require.Eventually(t, func() bool { _, ok := l.watched(r.inode); return ok }, patience, time.Millisecond)
	n, _ := l.watched(r.inode)
	same := func() {
		t.Helper()
		turn, checked := n.Gate.Turn(), n.Gate.Checked()
		require.Eventually(t, func() bool { return n.Gate.Checked() > checked+20*time.Millisecond }, patience, time.Millisecond)
		require.True(t, n.Gate.Rests(turn))
	}
	same()
	turn := n.Gate.Turn()
	var c net.PacketConn
	require.NoError(t, netns.Do(int(n.File.Fd()), func() (err error) {
		c, err = net.ListenPacket("udp", ":0")
		return err
	}))
	require.Eventually(t, func() bool { return !n.Gate.Rests(turn) }, patience, time.Millisecond)
	same()
	turn = n.Gate.Turn()
	c.Close()
	require.Eventually(t, func() bool { return !n.Gate.Rests(turn) }, patience, time.Millisecond)
}

// While namespaces are spared they are found and entered as ever, but nobody looks at their counts.
func TestNamespacesAreSpared(t *testing.T) {
	h := newHost(t)
	first := h.settle(t)
	var l log
	var spare atomic.Bool
	c := h.brisk(l.watch)
	c.Spare = spare.Load
	run(t, c)
	watched := func(r resident) (n Namespace) {
		t.Helper()
		require.Eventually(t, func() (ok bool) { n, ok = l.watched(r.inode); return ok }, patience, time.Millisecond)
		return n
	}
	n := watched(first)
	require.Eventually(t, func() bool { return n.Gate.Checked() > 0 }, patience, time.Millisecond)
	spare.Store(true)
	second := h.settle(t)
	m := watched(second) // and before it was, what was looked at was told
	turn, checked := n.Gate.Turn(), n.Gate.Checked()
	var s net.PacketConn
	require.NoError(t, netns.Do(int(n.File.Fd()), func() (err error) {
		s, err = net.ListenPacket("udp", ":0")
		return err
	}))
	defer s.Close()
	require.Never(t, func() bool { return !n.Gate.Rests(turn) || n.Gate.Checked() > checked || m.Gate.Checked() > 0 }, 50*time.Millisecond, time.Millisecond)
	spare.Store(false)
	require.Eventually(t, func() bool { return !n.Gate.Rests(turn) && m.Gate.Checked() > 0 }, patience, time.Millisecond)
}

// A watch that returns costs nothing more, and is not begun again.
func TestAWatchMayEnd(t *testing.T) {
	h := newHost(t)
	r := h.settle(t)
	var l log
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	w := run(t, h.brisk(func(_ context.Context, n Namespace) { l.watch(ended, n) }))
	s := h.settle(t)
	for _, inode := range []uint64{r.inode, s.inode} {
		require.Eventually(t, func() bool { return l.times(inode) == 1 }, patience, time.Millisecond)
	}
	before := openFiles(t)
	s.leave()
	require.Eventually(t, func() bool { return w.Stats().Left == 1 }, patience, time.Millisecond)
	require.Equal(t, 1, l.times(r.inode))
	require.LessOrEqual(t, openFiles(t), before)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestConfig(t *testing.T) {
	watch := func(context.Context, Namespace) {}
	for name, c := range map[string]Config{
		"no watch": {}, "too many": {Watch: watch, Max: maxFound + 1}, "too fast": {Watch: watch, Every: 1},
		"rarer than the gate": {Watch: watch, Every: time.Second, Discover: time.Millisecond}, "rest": {Watch: watch, Rest: 1}, "more than a core": {Watch: watch, Share: 2},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, "namespace: ", name)
	}
}
