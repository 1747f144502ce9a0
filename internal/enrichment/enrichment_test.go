package enrichment

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/test/need"
)

const nobody = 65534

// owns makes a dpkg database in which the package "sleepy" lists a path, with a digest of that content.
func owns(t testing.TB, path string, content []byte) string {
	sum := md5.Sum(content)
	return debian(t, map[string]string{
		"status":              "Package: sleepy\nStatus: install ok installed\nVersion: 7-1\n",
		"info/sleepy.list":    "/.\n" + path + "\n",
		"info/sleepy.md5sums": hex.EncodeToString(sum[:]) + "  " + strings.TrimPrefix(path, "/") + "\n",
	})
}

func read(t testing.TB, path string) []byte {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestFactsOfAPackagedProgram(t *testing.T) {
	path := install(t, "/bin/sleep", filepath.Join(tree(t), "sleepy"))
	content := read(t, path)
	began := time.Unix(1_700_000_000, 0)
	e := running(t, Config{Root: owns(t, path, content), FirstSeen: func(f process.File) (time.Time, bool) {
		require.EqualValues(t, len(content), f.Size)
		return began, true
	}})
	info := start(t, sleeper(path))
	f := facts(t, e, info)
	st, err := os.Stat(path)
	require.NoError(t, err)
	raw := st.Sys().(*syscall.Stat_t)
	changed := time.Unix(0, max(raw.Mtim.Nano(), raw.Ctim.Nano())).UTC()
	require.Equal(t, process.Facts{
		Examined: true, Device: raw.Dev, Inode: raw.Ino, Size: st.Size(), Mode: raw.Mode, Changed: changed,
		SHA256: digestOf(content), Package: "sleepy", PackageVersion: "7-1", PackageManager: "dpkg", PackageKnown: true, Intact: true,
		Protected: true, FirstSeen: began, Initial: true, EnvironRead: true,
	}, f)
	require.EqualValues(t, 1, e.Stats().Hashed)

	again := start(t, sleeper(path))
	require.True(t, facts(t, e, again).Intact)
	require.EqualValues(t, 1, e.Stats().Hashed, "a file is read once")
}

func TestAlteredSinceItWasInstalled(t *testing.T) {
	path := install(t, "/bin/sleep", filepath.Join(tree(t), "sleepy"))
	e := running(t, Config{Root: owns(t, path, []byte("another"))})
	f := facts(t, e, start(t, sleeper(path)))
	require.True(t, f.Altered)
	require.False(t, f.Intact)
	require.Equal(t, "sleepy", f.Package)
}

// TestPackageIsNotToldBeforeTheDigest: in between, a verdict would take a large program for one that nobody vouches for.
func TestPackageIsNotToldBeforeTheDigest(t *testing.T) {
	path := install(t, "/bin/sleep", filepath.Join(tree(t), "sleepy"))
	require.NoError(t, os.Truncate(path, 64<<20)) // it takes a while to hash
	e := running(t, Config{Root: owns(t, path, read(t, path))})
	info := start(t, sleeper(path))
	e.Meet(info)
	var f process.Facts
	require.Eventually(t, func() bool {
		f, _ = e.Facts(info.ID)
		return f.PackageKnown
	}, waitAtMost, pollEvery)
	require.Equal(t, "sleepy", f.Package)
	require.True(t, f.Intact)
}

func TestPreload(t *testing.T) {
	e := running(t, Config{})
	for env, want := range map[string]bool{"LD_PRELOAD=/nonexistent.so": true, "LD_PRELOAD=": false, "LD_AUDIT=/x": true, "PYTHONPATH=/x": false} {
		f := facts(t, e, start(t, sleeper("/bin/sleep", env)))
		require.True(t, f.EnvironRead)
		require.Equal(t, want, f.Preload, env)
	}
	cmd := exec.Command("/bin/sh", "-c", "sleep 60; :")
	cmd.Env = []string{"PATH=/bin", "BASH_ENV=/x"}
	require.True(t, facts(t, e, start(t, cmd)).Preload, "what runs code beside the script of an interpreter")
}

// TestEnded: of a program that is already known, all but the environment is there though its process has ended.
func TestEnded(t *testing.T) {
	need.Root(t)
	e := running(t, Config{Root: "/"})
	first := start(t, sleeper("/bin/sleep"))
	want := facts(t, e, first)
	require.NotEmpty(t, want.SHA256)
	require.NotEmpty(t, want.Package)
	cmd := sleeper("/bin/sleep")
	second := start(t, cmd)
	stop(cmd)
	want.EnvironRead = false
	require.Equal(t, want, facts(t, e, second))
	require.EqualValues(t, 1, e.Stats().Late)

	cmd = sleeper("/bin/sleep")
	third := start(t, cmd)
	stop(cmd)
	third.Executable = process.File{}
	require.Equal(t, process.Facts{}, facts(t, e, third), "what is not known is not guessed")
}

// TestGoneBeforeItWasMet: the file is read by its path only if it still is the same file.
func TestGoneBeforeItWasMet(t *testing.T) {
	for name, change := range map[string]func(path string){
		"same": func(string) {}, "removed": func(path string) { require.NoError(t, os.Remove(path)) },
		"replaced": func(path string) {
			require.NoError(t, os.Remove(path))
			install(t, "/bin/cat", path)
		},
	} {
		path := install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))
		cmd := sleeper(path)
		info := start(t, cmd)
		stop(cmd)
		change(path)
		f := facts(t, running(t, Config{}), info)
		require.True(t, f.Examined, name)
		require.Equal(t, name != "same", f.Elsewhere, name)
		require.Equal(t, name == "same", f.SHA256 != "", name)
	}
}

// TestWithoutPath: what has no path any more, or never had one, is read through the process.
func TestWithoutPath(t *testing.T) {
	e := running(t, Config{})
	path := install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))
	content := read(t, path)
	cmd := sleeper(path)
	start(t, cmd)
	require.NoError(t, os.Remove(path))
	info, err := described(int32(cmd.Process.Pid))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(info.Program.Path, deleted))
	f := facts(t, e, info)
	require.Equal(t, digestOf(content), f.SHA256)
	require.False(t, f.Elsewhere || f.Protected || f.Package != "")

	fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	memfd := os.NewFile(uintptr(fd), "memfd")
	defer memfd.Close()
	_, err = memfd.Write(content)
	require.NoError(t, err)
	info = start(t, sleeper("/proc/self/fd/"+itoa(fd)))
	require.True(t, strings.HasPrefix(info.Program.Path, "/memfd:"))
	f = facts(t, e, info)
	require.Equal(t, digestOf(content), f.SHA256)
	require.False(t, f.Elsewhere || f.Protected)
}

// TestElsewhere: a path that leads to another file here belongs to no package, whatever is listed there.
func TestElsewhere(t *testing.T) {
	need.Root(t)
	top := tree(t)
	path := install(t, "/bin/sleep", filepath.Join(top, "sleepy"))
	other := install(t, "/bin/sleep", filepath.Join(top, "implant"))
	e := running(t, Config{Root: owns(t, path, read(t, path))})
	require.False(t, facts(t, e, start(t, sleeper(path))).Elsewhere)
	for name, script := range map[string]string{
		"bind mount in another namespace": "mount --bind " + other + " " + path + " && exec " + path + " 60",
		"another root":                    "mkdir -p " + top + "/root" + top + " && mount --bind / " + top + "/root && mount --bind " + other + " " + top + "/root" + path + " && exec chroot " + top + "/root " + path + " 60",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-c", "mount --make-rprivate / && "+script)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			var info process.Info
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { stop(cmd) })
			require.Eventually(t, func() bool {
				i, err := described(int32(cmd.Process.Pid))
				info = i
				return err == nil && strings.HasSuffix(i.Program.Path, "sleepy")
			}, waitAtMost, pollEvery)
			f := facts(t, e, info)
			require.True(t, f.Elsewhere)
			require.True(t, f.PackageKnown)
			require.Empty(t, f.Package)
			require.False(t, f.Protected)
			require.NotEmpty(t, f.SHA256, "read through the process")
		})
	}
}

// TestMountedOver: a file mounted over the path of a packaged program, for the whole host.
func TestMountedOver(t *testing.T) {
	need.Root(t)
	top := tree(t)
	path := install(t, "/bin/sleep", filepath.Join(top, "sleepy"))
	other := install(t, "/bin/sleep", filepath.Join(top, "implant"))
	require.NoError(t, unix.Mount(other, path, "", unix.MS_BIND, ""))
	defer func() { require.NoError(t, unix.Unmount(path, unix.MNT_DETACH)) }()
	e := running(t, Config{Root: owns(t, path, read(t, path))})
	f := facts(t, e, start(t, sleeper(path)))
	require.True(t, f.Elsewhere)
	require.Empty(t, f.Package)
}

// TestOverlay: files of the layers of an overlay show other devices than their mount.
func TestOverlay(t *testing.T) {
	need.Root(t)
	top := tree(t)
	at := filepath.Join(top, "root")
	require.NoError(t, unix.Mount("tmpfs", filepath.Join(top, "a"), "tmpfs", 0, "mode=755"))
	defer func() { require.NoError(t, unix.Unmount(filepath.Join(top, "a"), unix.MNT_DETACH)) }()
	for _, dir := range []string{"lower", "a/upper", "a/work", "root"} {
		require.NoError(t, os.Mkdir(filepath.Join(top, dir), 0o755))
	}
	install(t, "/bin/sleep", filepath.Join(top, "lower", "sleepy"))
	if err := unix.Mount("overlay", at, "overlay", 0, "xino=off,lowerdir="+top+"/lower,upperdir="+top+"/a/upper,workdir="+top+"/a/work"); err != nil {
		need.Skip(t, "an overlay cannot be mounted: %v", err)
	}
	defer func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) }()
	for _, path := range []string{filepath.Join(at, "sleepy"), install(t, "/bin/sleep", filepath.Join(at, "sleepier"))} {
		e := running(t, Config{Root: owns(t, path, read(t, path))})
		cmd := sleeper(path)
		f := facts(t, e, start(t, cmd))
		stop(cmd)
		require.True(t, f.Intact, "%s: %+v", path, f)
		require.False(t, f.Elsewhere)
	}
}

func TestSelfWritable(t *testing.T) {
	need.Root(t)
	top := tree(t)
	path := install(t, "/bin/sleep", filepath.Join(top, "x"))
	as := func(uid, gid uint32, groups ...uint32) *exec.Cmd {
		cmd := sleeper(path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
		return cmd
	}
	tests := []struct {
		name     string
		uid, gid int
		mode     os.FileMode
		cmd      *exec.Cmd
		want     bool
	}{
		{"root's", 0, 0, 0o755, as(nobody, nobody), false},
		{"its own", nobody, 0, 0o755, as(nobody, nobody), true},
		{"its group's", 0, 4712, 0o775, as(nobody, nobody, 4712), true},
		{"another group's", 0, 4712, 0o775, as(nobody, nobody, 4711), false},
		{"root could anyway", nobody, 0, 0o755, as(0, 0), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, os.Chown(path, tt.uid, tt.gid))
			require.NoError(t, os.Chmod(path, tt.mode))
			f := facts(t, running(t, Config{}), start(t, tt.cmd))
			require.Equal(t, tt.want, f.SelfWritable)
			require.EqualValues(t, tt.uid, f.Owner)
		})
	}
}

func TestScript(t *testing.T) {
	top := tree(t)
	script := filepath.Join(top, "job.sh")
	content := []byte("sleep 60; :\n")
	require.NoError(t, os.WriteFile(script, content, 0o755))
	link := filepath.Join(top, "job")
	require.NoError(t, os.Symlink("job.sh", link))
	e := running(t, Config{Root: owns(t, script, content)})
	f := facts(t, e, start(t, exec.Command("/bin/sh", link)))
	require.Equal(t, "sleepy", f.ScriptPackage)
	require.True(t, f.ScriptIntact)
	require.True(t, f.ScriptProtected)
	require.Empty(t, f.Package)

	require.NoError(t, os.WriteFile(script, append(content, "evil\n"...), 0o777))
	require.NoError(t, os.Chmod(script, 0o777))
	f = facts(t, e, start(t, exec.Command("/bin/sh", link)))
	require.True(t, f.ScriptAltered)
	require.False(t, f.ScriptProtected)
}

// TestPackageInstalledLater: facts follow the package database, except where the path has got another file since.
func TestPackageInstalledLater(t *testing.T) {
	path := install(t, "/bin/sleep", filepath.Join(tree(t), "sleepy"))
	e, err := New(Config{Root: owns(t, "/another", nil), Share: 1})
	require.NoError(t, err)
	e.packages.refresh()
	x := examiner{Enricher: e}
	inspect := func() {
		for len(e.inspect) > 0 {
			e.inspectOne(t.Context(), <-e.inspect)
		}
	}
	info := start(t, sleeper(path))
	x.examine(info)
	inspect()
	f, ok := e.Facts(info.ID)
	require.True(t, ok)
	require.True(t, f.PackageKnown)
	require.Empty(t, f.Package)
	sum := f.SHA256
	require.NotEmpty(t, sum)

	database := func(root string) {
		e.packages = newPackages(root, nil)
		require.True(t, e.packages.refresh())
		e.reowned()
		inspect()
	}
	database(owns(t, path, read(t, path)))
	f, _ = e.Facts(info.ID)
	require.True(t, f.Intact)
	require.Equal(t, sum, f.SHA256)

	require.NoError(t, os.Remove(path)) // an upgrade
	install(t, "/bin/cat", path)
	database(owns(t, path, read(t, path)))
	f, _ = e.Facts(info.ID)
	require.True(t, f.Intact, "of the version it was started from")
	require.False(t, f.Altered)
}

func TestTooLargeToHash(t *testing.T) {
	f := facts(t, running(t, Config{MaxHash: 10}), start(t, sleeper("/bin/sleep")))
	require.True(t, f.Examined)
	require.Empty(t, f.SHA256)
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{MaxFiles: -1}, {Share: 1.5}, {Share: -1}} {
		_, err := New(c)
		require.Error(t, err)
	}
}
