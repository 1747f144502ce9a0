package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// root is this system under an overlay: what is changed in it is gone with the test.
type root struct{ dir string }

func newRoot(t *testing.T) root {
	t.Helper()
	if os.Geteuid() != 0 {
		need.Skip(t, "root is needed to mount an overlay of this system")
	}
	// the upper layer may not lie on an overlay itself, and containers' file systems often are one
	base := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", base, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(base, unix.MNT_DETACH)) })
	r := root{filepath.Join(base, "root")}
	for _, d := range []string{"upper", "work", "root"} {
		require.NoError(t, os.Mkdir(filepath.Join(base, d), 0o755))
	}
	options := "lowerdir=/,upperdir=" + filepath.Join(base, "upper") + ",workdir=" + filepath.Join(base, "work")
	if err := unix.Mount("overlay", r.dir, "overlay", 0, options); err != nil {
		need.Skip(t, "an overlay of this system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(r.dir, unix.MNT_DETACH)) })
	for _, m := range []struct{ source, target, kind string }{{"proc", "proc", "proc"}, {"sysfs", "sys", "sysfs"},
		{"tmpfs", "run", "tmpfs"}, {"/dev", "dev", ""}} {
		flags := uintptr(0)
		if m.kind == "" {
			flags = unix.MS_BIND
		}
		target := filepath.Join(r.dir, m.target)
		require.NoError(t, unix.Mount(m.source, target, m.kind, flags, ""))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(target, unix.MNT_DETACH)) })
	}
	return r
}

// command is a command inside the root.
func (r root) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a command inside the root to its end and returns what it printed.
func (r root) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := r.command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

func (r root) path(inside string) string { return filepath.Join(r.dir, inside) }

func (r root) read(t *testing.T, inside string) string {
	t.Helper()
	text, err := os.ReadFile(r.path(inside))
	require.NoError(t, err)
	return string(text)
}

// bring copies a file of the outside into the root and returns its path there.
func (r root) bring(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	inside := "/" + filepath.Base(file)
	require.NoError(t, os.WriteFile(r.path(inside), content, 0o644))
	return inside
}
