package procfs

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseUIDs(t *testing.T) {
	got, err := parseUIDs([]byte("Name:\tping\nUid:\t1000\t0\t0\t0\nGid:\t1\t2\t3\t4\n"))
	require.NoError(t, err)
	require.Equal(t, UIDs{Real: 1000, Effective: 0}, got)
	got, err = parseUIDs([]byte("Uid:\t4294967294\t65534\t0\t0"))
	require.NoError(t, err)
	require.Equal(t, UIDs{Real: 4294967294, Effective: 65534}, got)
	for _, bad := range []string{"", "Uid:\t", "Uid:\t1", "Uid:\tx\t1", "Uid:\t1\t-1", "Uid:\t4294967296\t1", "Gid:\t1\t1\t1\t1\n"} {
		_, err := parseUIDs([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestParseGIDs(t *testing.T) {
	got, err := parseGIDs([]byte("Uid:\t1\t2\t3\t4\nGid:\t10\t20\t30\t40\nGroups:\t4 27 1000 \nNStgid:\t7\n"))
	require.NoError(t, err)
	require.Equal(t, []uint32{20, 4, 27, 1000}, got)
	got, err = parseGIDs([]byte("Gid:\t0\t0\t0\t0\nGroups:\t \n"))
	require.NoError(t, err)
	require.Equal(t, []uint32{0}, got)
	for _, bad := range []string{"", "Gid:\t1\n", "Gid:\t1\tx\t1\t1\n", "Groups:\t4294967296\n", "Groups:\n"} {
		_, err := parseGIDs([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestSplitArgs(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"a kernel thread", "", nil},
		{"only ends", "\x00\x00", nil},
		{"ordinary", "curl\x00-s\x00http://x\x00", []string{"curl", "-s", "http://x"}},
		{"an empty argument", "sh\x00\x00x\x00", []string{"sh", "", "x"}},
		{"a rewritten vector", "nginx: master process", []string{"nginx: master process"}},
		{"padded by setproctitle", "nginx: worker\x00\x00\x00\x00", []string{"nginx: worker"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, splitArgs([]byte(tt.text))) })
	}
}

func TestParseCgroup(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"version 2", "0::/system.slice/cron.service\n", "/system.slice/cron.service"},
		{"hybrid, systemd in the unified one", "2:cpu:/\n1:name=systemd:/a\n0::/system.slice/x.service\n", "/system.slice/x.service"},
		{"hybrid, only systemd tells", "2:cpu,cpuacct:/\n1:name=systemd:/system.slice/x.service\n0::/\n", "/system.slice/x.service"},
		{"only one controller tells", "9:name=systemd:/\n4:memory:/jobs/17\n1:cpu:/\n0::/\n", "/jobs/17"},
		{"version 1 of docker", "3:pids:/docker/ab\n2:cpu:/\n1:name=systemd:/docker/ab\n", "/docker/ab"},
		{"another namespace", "0::/../../system.slice/x.scope\n", "/system.slice/x.scope"},
		{"above another namespace", "0::/..\n", "/"},
		{"a colon in the path", "0::/a:b:c\n", "/a:b:c"},
		{"the root", "0::/\n", "/"},
		{"nothing", "", "/"},
		{"nonsense", "x\n:\n::\n1:2\n0::relative\n", "/"},
		{"preferred in version 1", "9:pids:/docker/1\n1:name=systemd:/docker/1\n0::/system.slice/containerd.service\n", "/docker/1"},
		{"preferred in one hierarchy", "9:pids:/docker/1\n1:name=systemd:/system.slice/x.service\n0::/\n", "/docker/1"},
		{"preferred in both", "1:name=systemd:/docker/1\n0::/docker/1/x\n", "/docker/1/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, parseCgroup([]byte(tt.text), isDocker)) })
	}
}

func TestUnified(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "self"), 0o755))
	require.False(t, New(root).Unified())
	for text, want := range map[string]bool{"0::/x\n": true, "1:name=systemd:/\n0::/x\n": false, "1:name=systemd:/x\n": false} {
		require.NoError(t, os.WriteFile(filepath.Join(root, "self", "cgroup"), []byte(text), 0o644))
		require.Equal(t, want, New(root).Unified(), text)
	}
}

func isDocker(path string) bool { return strings.HasPrefix(path, "/docker/") }

func TestSocketInode(t *testing.T) {
	got, ok := socketInode([]byte("socket:[4294967296]"))
	require.True(t, ok)
	require.EqualValues(t, 1<<32, got)
	for _, bad := range []string{"", "socket:[]", "socket:[1", "socket:1]", "socket:[-1]", "socket:[1x]", "pipe:[1]",
		"/tmp/socket:[1]", "socket:[18446744073709551616]", "socket:[1] (deleted)"} {
		_, ok := socketInode([]byte(bad))
		require.False(t, ok, bad)
	}
}

func TestHidepid(t *testing.T) {
	const line = "proc /proc proc rw,nosuid,relatime%s 0 0\n"
	with := func(option string) string { return strings.Replace(line, "%s", option, 1) }
	tests := []struct {
		name, mounts string
		want         bool
	}{
		{"no option", with(""), false},
		{"invisible, in words", with(",hidepid=invisible"), true},
		{"invisible, by number", with(",gid=7,hidepid=2"), true},
		{"no access", with(",hidepid=1"), true},
		{"switched off", with(",hidepid=0"), false},
		{"switched off, in words", with(",hidepid=off"), false},
		{"at another place", strings.Replace(with(",hidepid=2"), " /proc ", " /mnt ", 1), false},
		{"another file system", strings.Replace(with(",hidepid=2"), " proc rw", " tmpfs rw", 1), false},
		{"covered by a later mount", with(",hidepid=2") + with(""), false},
		{"nonsense", "x\n\nproc /proc\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, hidepid([]byte(tt.mounts), "/proc")) })
	}
}

func TestEffectiveCapability(t *testing.T) {
	const ptrace = 19
	require.True(t, effective([]byte("Name:\tx\nCapEff:\t0000000000080000\n"), ptrace))
	require.False(t, effective([]byte("CapPrm:\t0000000000080000\nCapEff:\t0000000000000000\n"), ptrace))
	require.False(t, effective([]byte("CapEff:\tzz\n"), ptrace))
	require.False(t, effective(nil, ptrace))
}

// entry is a struct linux_dirent64 as getdents64(2) writes it.
func entry(name string) []byte {
	size := (direntName + len(name) + 1 + 7) &^ 7
	e := make([]byte, size)
	binary.NativeEndian.PutUint16(e[16:], uint16(size))
	copy(e[direntName:], name)
	return e
}

func TestNextEntry(t *testing.T) {
	records := append(entry("."), entry("4711")...)
	name, rest, ok := nextEntry(records)
	require.True(t, ok)
	require.Equal(t, ".", string(name))
	name, rest, ok = nextEntry(rest)
	require.True(t, ok)
	require.Equal(t, "4711", string(name))
	require.Zero(t, name[:len(name)+1][len(name)], "ends as a C string does")
	_, _, ok = nextEntry(rest)
	require.False(t, ok)
}

func FuzzPIDTexts(f *testing.F) {
	f.Add([]byte("Uid:\t1000\t0\t0\t0\n0::/a\nCapEff:\t1\nproc /proc proc hidepid=2 0 0\n"))
	f.Add([]byte("socket:[17]"))
	f.Add([]byte("Tgid:\t17\n"))
	f.Add([]byte("0.00 0.01 0.05 1/120 4711\n"))
	f.Add([]byte("a\x00b\x00"))
	f.Add(append(entry("x"), entry("17")...))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = parseUIDs(text)
		_, _ = parseGIDs(text)
		require.True(t, strings.HasPrefix(parseCgroup(text, isDocker), "/"))
		hidepid(text, "/proc")
		effective(text, 19)
		if inode, ok := socketInode(text); ok {
			require.Less(t, inode, ^uint64(0))
		}
		if pid, ok := parseLastPID(text); ok {
			require.Positive(t, pid)
		}
		if pid, err := parseGroup(text); err == nil {
			require.Positive(t, pid)
		}
		if len(text) > 0 && text[len(text)-1] == 0 {
			text = text[:len(text)-1]
		}
		require.LessOrEqual(t, len(splitArgs(text)), len(text))
		for rest, n := text, 0; ; n++ {
			name, next, ok := nextEntry(rest)
			if !ok {
				break
			}
			require.NotEmpty(t, name)
			require.Less(t, len(next), len(rest), "always ends")
			rest = next
		}
	})
}
