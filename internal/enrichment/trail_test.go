package enrichment

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// tree makes a file at a/b/x below a directory that only root can write to, and returns that directory.
func tree(t testing.TB) string {
	need.Root(t)
	top, err := os.MkdirTemp("/var/lib", "trail-test-") // every directory above is root's
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
	require.NoError(t, os.Chmod(top, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(top, "a/b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(top, "a/b/x"), []byte("x"), 0o755))
	return top
}

func TestTrail(t *testing.T) {
	const someone, group = 4711, 4712
	change := func(mode uint32, uid, gid int) func(path string) error {
		return func(path string) error {
			if err := os.Chown(path, uid, gid); err != nil {
				return err
			}
			return unix.Chmod(path, mode)
		}
	}
	tests := []struct {
		name   string
		at     string // what is changed
		change func(path string) error
		want   trail
	}{
		{"root's all the way", "a/b/x", change(0o755, 0, 0), trail{protected: true}},
		{"owned by a user", "a/b/x", change(0o755, someone, 0), trail{users: []uint32{someone}}},
		{"directory of a user", "a", change(0o755, someone, 0), trail{users: []uint32{someone}}},
		{"a group may write", "a/b/x", change(0o775, 0, group), trail{groups: []uint32{group}}},
		{"a group may write to a directory", "a", change(0o775, 0, group), trail{groups: []uint32{group}}},
		{"anybody may write", "a/b/x", change(0o757, 0, 0), trail{others: true}},
		{"anybody may write to a directory", "a/b", change(0o777, 0, 0), trail{groups: []uint32{0}, others: true}},
		{"a sticky directory", "a/b", change(0o1777, 0, 0), trail{}},
		{"setuid", "a/b/x", change(0o4755, 0, 0), trail{protected: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := tree(t)
			require.NoError(t, tt.change(filepath.Join(top, tt.at)))
			got, err := follow(filepath.Join(top, "a/b/x"), ownMounts())
			require.NoError(t, err)
			tt.want.path, tt.want.file, tt.want.at = filepath.Join(top, "a/b/x"), got.file, got.at
			require.Equal(t, tt.want, got)
			require.EqualValues(t, 1, got.file.Size)
		})
	}
}

func TestTrailFollowsLinks(t *testing.T) {
	top := tree(t)
	want := filepath.Join(top, "a/b/x")
	link := func(to, at string) string {
		at = filepath.Join(top, at)
		require.NoError(t, os.Symlink(to, at))
		return at
	}
	for _, path := range []string{link("a/b/x", "relative"), link(want, "absolute"), link("../a/b", "a/up") + "/x",
		link("relative", "twice"), top + "/a/../a/./b//x"} {
		got, err := follow(path, ownMounts())
		require.NoError(t, err, path)
		require.Equal(t, want, got.path)
		require.True(t, got.protected)
	}
	loop := link("loop", "loop")
	_, err := follow(loop, ownMounts())
	require.ErrorIs(t, err, errLinks)
	_, err = follow(want+"/y", ownMounts())
	require.ErrorIs(t, err, unix.ENOTDIR)
	_, err = follow(top+"/a/none", ownMounts())
	require.ErrorIs(t, err, fs.ErrNotExist)

	open := filepath.Join(top, "open")
	require.NoError(t, os.Mkdir(open, 0o755))
	require.NoError(t, os.Chmod(open, 0o777))
	got, err := follow(link(want, "open/x"), ownMounts())
	require.NoError(t, err)
	require.False(t, got.protected, "the link could be exchanged")
	require.True(t, got.others)
}

// TestTrailAsksNoServer: what is behind a mount of an unknown kind is left alone.
func TestTrailAsksNoServer(t *testing.T) {
	top := tree(t)
	here, err := follow(top, ownMounts())
	require.NoError(t, err)
	_, err = follow(filepath.Join(top, "a/b/x"), mounts{local: map[uint64]bool{here.file.Device: false}})
	require.ErrorIs(t, err, errRemote)
}

func TestParseMounts(t *testing.T) {
	m := parseMounts([]byte("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n" +
		"30 27 0:25 / /home/u/mnt rw,nosuid shared:1 master:2 - fuse.sshfs u@h: rw\n" +
		"31 27 0:26 /@ /srv rw - btrfs /dev/vdb rw\nnonsense\n1 2 3:4 5 6 7 -\n1 2 x:y 5 6 - ext4 z\n"))
	require.Equal(t, map[uint64]bool{unix.Mkdev(254, 0): true, unix.Mkdev(0, 25): false, unix.Mkdev(0, 26): true}, m.local)
	require.True(t, m.btrfs)
	require.False(t, isLocal(place{device: unix.Mkdev(0, 25)}, m))
	require.True(t, isLocal(place{device: unix.Mkdev(0, 99)}, m), "a subvolume")
	require.True(t, isLocal(place{device: unix.Mkdev(8, 1)}, mounts{}), "a disk of another namespace")
	require.False(t, isLocal(place{device: unix.Mkdev(0, 99)}, mounts{}))
	require.False(t, isLocal(place{device: unix.Mkdev(0, 25)}, mounts{}, m), "the first that has it decides")
	m.btrfs = false
	require.True(t, isLocal(place{unix.Mkdev(0, 99), 27}, m), "another device than its mount, as in an overlay")
	require.False(t, isLocal(place{unix.Mkdev(0, 99), 30}, m))
	require.False(t, isLocal(place{unix.Mkdev(0, 99), 32}, m), "its mount has gone")
}

func FuzzParseMounts(f *testing.F) {
	f.Add([]byte("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := parseMounts(text)
		require.LessOrEqual(t, len(m.local), len(text)/10+1)
	})
}
