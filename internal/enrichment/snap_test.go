package enrichment

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// TestSnapOwner mounts an image as snapd does.
func TestSnapOwner(t *testing.T) {
	need.Root(t)
	if _, err := exec.LookPath("mksquashfs"); err != nil {
		need.Skip(t, "needs mksquashfs (Debian: squashfs-tools): %v", err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"meta/snap.yaml": "name: agent\nversion: '1.2'\napps:\n  version: no\n", "bin/agent": "x"} {
		path := filepath.Join(dir, "content", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	}
	image, at := filepath.Join(dir, "agent_17.snap"), filepath.Join(dir, "root/snap/agent/17")
	out, err := exec.Command("mksquashfs", filepath.Join(dir, "content"), image, "-quiet", "-no-progress").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.MkdirAll(at, 0o755))
	if out, err := exec.Command("mount", "-t", "squashfs", "-o", "ro,loop", image, at).CombinedOutput(); err != nil {
		need.Skip(t, "mount an image: %v: %s", err, out)
	}
	defer func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) }()

	s := snap{root: filepath.Join(dir, "root")}
	got, found, known := s.owner("/snap/agent/17/bin/agent")
	require.True(t, found && known)
	require.Equal(t, Package{Name: "agent", Version: "1.2", Manager: "snap"}, got)
	for _, path := range []string{"/snap/agent/18/bin/agent", "/snap/agent/current/bin/agent", "/snap/agent", "/usr/bin/agent", "/snap/../../x"} {
		_, found, known := s.owner(path)
		require.False(t, found, path)
		require.True(t, known)
	}
	plain := filepath.Join(dir, "root/snap/fake/1/meta")
	require.NoError(t, os.MkdirAll(plain, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(plain, "snap.yaml"), []byte("version: 1"), 0o644))
	_, found, _ = s.owner("/snap/fake/1/bin/x")
	require.False(t, found, "a directory is no image")
}

func TestSnapVersion(t *testing.T) {
	require.Equal(t, "1.2", snapVersion([]byte("name: x\nversion: \"1.2\"\n"), "17"))
	require.Equal(t, "17", snapVersion([]byte("name: x\n  version: 1\nversion:\n"), "17"))
}
