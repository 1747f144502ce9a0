package attribution

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// proc is a directory that looks like /proc: for what a live kernel will not do on request, such as reusing a PID.
type proc struct {
	t    testing.TB
	root string
}

func newProc(t testing.TB) proc {
	root, err := os.MkdirTemp("/dev/shm", "proc") // in memory, like the real one: thousands of files are made
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	p := proc{t: t, root: root}
	p.add(member{pid: 1, ticks: 1, exe: "/sbin/init"})
	return p
}

// member is a process of a proc.
type member struct {
	pid, parent int32
	ticks       uint64
	exe         string
	sockets     []uint64
	files       int
	kernel      bool
	exiting     bool
}

// add makes a process.
func (p proc) add(m member) {
	dir := p.dir(m.pid)
	require.NoError(p.t, os.MkdirAll(filepath.Join(dir, "fd"), 0o755))
	require.NoError(p.t, os.MkdirAll(filepath.Join(dir, "ns"), 0o755))
	flags := 0
	if m.kernel {
		flags = 0x00200000
	}
	if m.exiting {
		flags = 0x4
	}
	name := filepath.Base(m.exe)
	p.write(m.pid, "stat", fmt.Sprintf("%d (%s) S %d 0 0 0 -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 0 0 0 %d 0 0\n", m.pid, name,
		m.parent, flags, m.ticks, m.ticks))
	p.write(m.pid, "status", fmt.Sprintf("Name:\t%s\nUid:\t%d\t%[2]d\t%[2]d\t%[2]d\n", name, os.Getuid()))
	p.write(m.pid, "cmdline", m.exe+"\x00-x\x00")
	p.write(m.pid, "cgroup", "0::/system.slice/x.service\n")
	if m.exe != "" {
		p.link(m.pid, "exe", m.exe)
	}
	p.link(m.pid, "ns/net", "net:[4026531840]")
	for i := range m.files {
		p.link(m.pid, "fd/"+strconv.Itoa(i), "/dev/null")
	}
	for i, inode := range m.sockets {
		p.link(m.pid, "fd/"+strconv.Itoa(m.files+i), fmt.Sprintf("socket:[%d]", inode))
	}
}

// end removes a process.
func (p proc) end(pid int32) { require.NoError(p.t, os.RemoveAll(p.dir(pid))) }

// close removes a descriptor.
func (p proc) close(pid int32, fd int) {
	require.NoError(p.t, os.Remove(filepath.Join(p.dir(pid), "fd", strconv.Itoa(fd))))
}

func (p proc) dir(pid int32) string { return filepath.Join(p.root, strconv.Itoa(int(pid))) }

func (p proc) write(pid int32, name, text string) {
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir(pid), name), []byte(text), 0o644))
}

func (p proc) link(pid int32, name, target string) {
	require.NoError(p.t, os.Symlink(target, filepath.Join(p.dir(pid), name)))
}

// sock is a socket of the test's user.
func sock(cookie, inode uint64) send.Socket {
	return send.Socket{Cookie: cookie, Inode: inode, UID: uint32(os.Getuid())}
}

// TestTheRootGroupOfAProcessThatIsExiting: the kernel shows it in the root whatever its group was, so the root is no answer.
func TestTheRootGroupOfAProcessThatIsExiting(t *testing.T) {
	for _, exiting := range []bool{false, true} {
		p := newProc(t)
		p.add(member{pid: 7, ticks: 100, exe: "/bin/curl", sockets: []uint64{1001}, exiting: exiting})
		p.write(7, "cgroup", "9:name=systemd:/\n0::/\n")
		_, _, ok := resolver(t, Config{Root: p.root}).Owner(sock(1, 1001), 0)
		require.Equal(t, !exiting, ok)
	}
}

// TestReusedPID: another process has the PID when the next socket of that number is looked for.
func TestReusedPID(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/old", sockets: []uint64{1001}})
	r := resolver(t, Config{Root: p.root})
	id, program, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	require.Equal(t, process.ID{PID: 7, StartTicks: 100}, id)
	require.Equal(t, "/bin/old", program.Path)

	p.end(7)
	p.add(member{pid: 7, ticks: 900, exe: "/bin/new", sockets: []uint64{1001, 1002}})
	id, program, ok = r.Owner(sock(2, 1002), 0)
	require.True(t, ok)
	require.Equal(t, process.ID{PID: 7, StartTicks: 900}, id)
	require.Equal(t, "/bin/new", program.Path)
	require.EqualValues(t, 1, r.Stats().Reused)
	old, ok := r.Process(process.ID{PID: 7, StartTicks: 100})
	require.True(t, ok)
	require.True(t, old.Exited, "the former process has ended")
}

// TestReusedInode: the kernel gives the inode of a closed socket to one of another process.
func TestReusedInode(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/a", sockets: []uint64{1001, 1002}})
	p.add(member{pid: 8, ticks: 50, exe: "/bin/b"})
	r := resolver(t, Config{Root: p.root})
	_, program, _ := r.Owner(sock(1, 1001), 0)
	require.Equal(t, "/bin/a", program.Path)
	_, program, _ = r.Owner(sock(2, 1002), 0)
	require.Equal(t, "/bin/a", program.Path)

	p.close(7, 1)
	p.link(8, "fd/9", "socket:[1002]")
	_, program, ok := r.Owner(sock(3, 1002), 0)
	require.True(t, ok)
	require.Equal(t, "/bin/b", program.Path, "the index was checked before it was believed")
	_, program, _ = r.Owner(sock(2, 1002), 0)
	require.Equal(t, "/bin/a", program.Path, "the old cookie keeps its owner")
}

// TestReusedInodeWithoutCookie: a socket known by its inode only is looked at again after a while.
func TestReusedInodeWithoutCookie(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/a", sockets: []uint64{1001}})
	p.add(member{pid: 8, ticks: 50, exe: "/bin/b"})
	r := resolver(t, Config{Root: p.root})
	_, program, _ := r.Owner(sock(0, 1001), 0)
	require.Equal(t, "/bin/a", program.Path)
	p.close(7, 0)
	p.link(8, "fd/9", "socket:[1001]")
	_, program, _ = r.Owner(sock(0, 1001), 0)
	require.Equal(t, "/bin/a", program.Path, "trusted for a moment")
	r.mu.Lock()
	known := r.sockets.byKey[socketKey{inode: 1001}]
	known.verified -= 2 * recheckAfter
	r.sockets.byKey[socketKey{inode: 1001}] = known
	r.mu.Unlock()
	_, program, ok := r.Owner(sock(0, 1001), 0)
	require.True(t, ok)
	require.Equal(t, "/bin/b", program.Path)
}

// TestProcessThatVanishesBetweenLookUps has its descriptors read but not its executable.
func TestProcessThatVanishesBetweenLookUps(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, sockets: []uint64{1001}})
	r := resolver(t, Config{Root: p.root})
	_, program, ok := r.Owner(sock(1, 1001), 0)
	require.False(t, ok)
	require.Empty(t, program.Path)
	s := r.Stats()
	require.EqualValues(t, 1, s.Vanished)
	require.EqualValues(t, 1, s.Unattributed)
}

// TestProcessThatVanishesBeforeItIsScanned was listed and is gone when its turn comes.
func TestProcessThatVanishesBeforeItIsScanned(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/a", sockets: []uint64{1001}})
	r := resolver(t, Config{Root: p.root})
	require.NoError(t, r.scanner.list())
	p.end(7)
	r.scanner.scan(r.scanner.processes[7])
	require.EqualValues(t, 1, r.Stats().Vanished)
	require.NotContains(t, r.scanner.processes, int32(7))
	_, _, ok := r.Owner(sock(1, 1001), 0)
	require.False(t, ok)
}

func TestNonsenseInProc(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/a", sockets: []uint64{1001}})
	p.add(member{pid: 8, ticks: 100, exe: "/bin/b"})
	p.write(8, "stat", "8 (b")
	p.link(7, "fd/x", "socket:[1002]")
	p.link(7, "fd/50", "socket:[x]")
	require.NoError(t, os.Mkdir(filepath.Join(p.root, "99999999999"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(p.root, "12"), 0o755))
	r := resolver(t, Config{Root: p.root})
	_, _, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	_, _, ok = r.Owner(sock(2, 1002), 0)
	require.False(t, ok)
}

func TestKernelThreadsAreNotScanned(t *testing.T) {
	p := newProc(t)
	for pid := int32(100); pid < 150; pid++ {
		p.add(member{pid: pid, parent: 2, ticks: 5, kernel: true})
	}
	r := resolver(t, Config{Root: p.root})
	r.Owner(sock(1, 1001), 0)
	require.EqualValues(t, 1, r.Stats().Scans, "init only")
}

func TestMissingProc(t *testing.T) {
	r := resolver(t, Config{Root: filepath.Join(t.TempDir(), "none")})
	_, _, ok := r.Owner(sock(1, 1001), 0)
	require.False(t, ok)
	require.True(t, r.Stats().Hidden)
}
