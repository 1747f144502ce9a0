package procfs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var loaders = []string{"LD_PRELOAD", "LD_AUDIT"}

func TestEnvScanner(t *testing.T) {
	long := strings.Repeat("x", 200)
	tests := []struct {
		name, environ string
		want          bool
	}{
		{"first", "LD_PRELOAD=/x.so\x00PATH=/bin\x00", true},
		{"last", "PATH=/bin\x00LD_AUDIT=/x.so\x00", true},
		{"last, without its end", "PATH=/bin\x00LD_AUDIT=/x", true},
		{"behind a long one", "A=" + long + "\x00LD_PRELOAD=" + long + "\x00", true},
		{"empty", "LD_PRELOAD=\x00LD_AUDIT=\x00", false},
		{"only as a value", "A=LD_PRELOAD=/x.so\x00", false},
		{"another name", "LD_PRELOADED=1\x00XLD_PRELOAD=1\x00LD_PRELOAD\x00", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 7, 1 << 20} {
			require.Equal(t, tt.want, scanned(tt.environ, size), "%s in pieces of %d", tt.name, size)
		}
	}
}

// scanned scans text in pieces of a size.
func scanned(text string, size int) bool {
	s := envScanner{names: loaders}
	for len(text) > 0 {
		n := min(size, len(text))
		if s.add([]byte(text[:n])) {
			return true
		}
		text = text[n:]
	}
	return s.end()
}

func TestEnvironOfARealProcess(t *testing.T) {
	var b Buffer
	for env, want := range map[string]bool{"LD_AUDIT=/nonexistent.so": true, "LD_DEBUG_OUTPUT=x": false} {
		cmd := exec.Command("/bin/sleep", "60")
		cmd.Env = append(os.Environ(), "FILLER="+strings.Repeat("y", 100_000), env)
		require.NoError(t, cmd.Start())
		p, err := New("").OpenPID(int32(cmd.Process.Pid))
		require.NoError(t, err)
		require.Eventually(t, func() bool { // until then it has the test's own
			exe, err := p.Exe(&b)
			_, missing := p.HasEnv(&b, loaders)
			return err == nil && missing == nil && filepath.Base(exe) != filepath.Base(os.Args[0])
		}, 10*time.Second, time.Millisecond)
		got, err := p.HasEnv(&b, loaders)
		require.NoError(t, err)
		require.Equal(t, want, got, env)
		require.False(t, bytes.Contains(b.file, []byte("yyy")), "nothing of it is kept")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		_, err = p.HasEnv(&b, loaders)
		require.ErrorIs(t, err, ErrGone)
		require.NoError(t, p.Close())
	}
}

func TestEmptyEnviron(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "60")
	cmd.Env = []string{}
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p, err := New("").OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	var b Buffer
	require.Eventually(t, func() bool {
		set, err := p.HasEnv(&b, loaders)
		exe, _ := p.Exe(&b)
		return err == nil && !set && filepath.Base(exe) == "sleep"
	}, 10*time.Second, time.Millisecond)
}

func TestEnvironOfAZombie(t *testing.T) {
	cmd := exec.Command("/bin/true")
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Wait() }()
	p, err := New("").OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	var b Buffer
	var stat PIDStat
	require.Eventually(t, func() bool { return p.Stat(&b, &stat) == nil && stat.State == 'Z' }, 10*time.Second, time.Millisecond)
	_, err = p.HasEnv(&b, loaders)
	require.ErrorIs(t, err, ErrGone)
}

func TestExecutableOfARealProcess(t *testing.T) {
	p := openSelf(t)
	var byLink unix.Statx_t
	require.NoError(t, p.ExeStat(&byLink))
	want, err := os.Stat(os.Args[0])
	require.NoError(t, err)
	f, err := p.OpenExe()
	require.NoError(t, err)
	defer f.Close()
	got, err := f.Stat()
	require.NoError(t, err)
	require.True(t, os.SameFile(want, got))
	require.EqualValues(t, want.Size(), byLink.Size)
	require.EqualValues(t, got.Sys().(*syscall.Stat_t).Ino, byLink.Ino)
}

func FuzzEnviron(f *testing.F) {
	f.Add("LD_PRELOAD=/x.so\x00PATH=/bin\x00", 3)
	f.Add("A=\x00\x00LD_AUDIT=", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		want := false
		for v := range strings.SplitSeq(text, "\x00") {
			for _, name := range loaders {
				want = want || strings.HasPrefix(v, name+"=") && len(v) > len(name)+1
			}
		}
		require.Equal(t, want, scanned(text, max(1, size)))
	})
}
