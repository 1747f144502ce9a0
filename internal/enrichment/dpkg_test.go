package enrichment

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// debian makes a dpkg database out of files by their names in it, and returns the root it is in.
func debian(t testing.TB, files map[string]string) string {
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "var/lib/dpkg", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func refreshed(t testing.TB, root string) *dpkg {
	d := &dpkg{root: root, dir: filepath.Join(root, "var/lib/dpkg")}
	_, err := d.refresh()
	require.NoError(t, err)
	return d
}

const chronySum = "0123456789abcdef0123456789abcdef"

// chrony is installed, gone has left only its configuration, libx is installed for two architectures.
var chrony = map[string]string{
	"status": "Package: chrony\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4.3-2\nDepends: " +
		strings.Repeat("x", 3*maxLine) + "\nDescription: clock\n more\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n" +
		"Package: libx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\nMulti-Arch: same\n\n" +
		"Package: wrap\nStatus: install ok unpacked\nArchitecture: all\nVersion: 1:3~rc1",
	"info/chrony.list":     "/.\n/usr\n/usr/sbin\n/usr/sbin/chronyd\n/bin/chronyc\n/usr/share/doc/chrony/NEWS\n/opt/tool\n",
	"info/chrony.md5sums":  chronySum + "  usr/sbin/chronyd\n" + strings.ToUpper(chronySum) + "  bin/chronyc\nbad  line\n",
	"info/gone.list":       "/usr/sbin/goned\n",
	"info/libx:amd64.list": "/usr/lib/x86_64-linux-gnu/libx.so.2\n",
	"info/wrap.list":       "/opt/tool\n/opt/admin\n",
	"info/wrap.md5sums":    "ffffffffffffffffffffffffffffffff  opt/tool\n",
	"diversions":           "/opt/tool\n/opt/tool.real\nwrap\n/opt/admin\n/opt/admin.dist\n:\n",
}

func TestDpkgOwner(t *testing.T) {
	root := debian(t, chrony)
	require.NoError(t, os.Symlink("usr/bin", filepath.Join(root, "bin")))
	d := refreshed(t, root)
	require.Equal(t, 3, d.len())
	md5 := func(hex string) Digest { return Digest{Algorithm: "md5", Hex: hex} }
	tests := []struct {
		name, path string
		want       Package
	}{
		{"listed", "/usr/sbin/chronyd", Package{"chrony", "4.3-2", "dpkg", md5(chronySum)}},
		{"listed where it was before /usr was merged", "/usr/bin/chronyc", Package{"chrony", "4.3-2", "dpkg", md5(chronySum)}},
		{"several architectures, no digest", "/usr/lib/x86_64-linux-gnu/libx.so.2", Package{"libx", "2", "dpkg", Digest{}}},
		{"the diverting package's own", "/opt/tool", Package{"wrap", "1:3~rc1", "dpkg", md5("ffffffffffffffffffffffffffffffff")}},
		{"diverted", "/opt/tool.real", Package{"chrony", "4.3-2", "dpkg", Digest{}}},
		{"an administrator's in its place", "/opt/admin", Package{}},
		{"diverted by an administrator", "/opt/admin.dist", Package{"wrap", "1:3~rc1", "dpkg", Digest{}}},
		{"of a removed package", "/usr/sbin/goned", Package{}},
		{"a copy elsewhere", "/tmp/usr/sbin/chronyd", Package{}},
		{"part of a listed path", "/usr/sbin/chrony", Package{}},
		{"two lines in one", "/usr/sbin\n/usr/sbin/chronyd", Package{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found, known := d.owner(tt.path)
			require.True(t, known)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.want != Package{}, found)
		})
	}
}

// TestDpkgChanges: the database is read again when it has changed, and only then.
func TestDpkgChanges(t *testing.T) {
	root := debian(t, chrony)
	d := refreshed(t, root)
	changed, err := d.refresh()
	require.NoError(t, err)
	require.False(t, changed)

	status := filepath.Join(root, "var/lib/dpkg/status")
	require.NoError(t, os.WriteFile(status+"-new", []byte("Package: chrony\nStatus: install ok installed\nVersion: 5\n"), 0o644))
	require.NoError(t, os.Rename(status+"-new", status))
	changed, err = d.refresh()
	require.NoError(t, err)
	require.True(t, changed)
	got, found, _ := d.owner("/usr/sbin/chronyd")
	require.True(t, found)
	require.Equal(t, "5", got.Version)
	require.Equal(t, 1, d.len())

	require.NoError(t, os.Remove(status))
	require.NoError(t, os.Mkdir(status, 0o755))
	_, err = d.refresh()
	require.ErrorContains(t, err, "not a regular file")
	_, found, _ = d.owner("/usr/sbin/chronyd")
	require.False(t, found, "nothing is said of a database that cannot be read")
}

func TestNoDpkg(t *testing.T) {
	d := refreshed(t, t.TempDir())
	_, found, known := d.owner("/usr/sbin/chronyd")
	require.False(t, found)
	require.True(t, known, "there are no packages")
}

func TestPathIndexIsBounded(t *testing.T) {
	var x pathIndex
	x.entries = make([]pathEntry, maxPaths-1)
	x.add([]byte("/a\n/b\n/c\n"), 1)
	x.sort()
	require.Len(t, x.entries, maxPaths)
	require.True(t, x.full, "what is not found may exist")
}

// TestDpkgOfThisHost compares with what dpkg itself says.
func TestDpkgOfThisHost(t *testing.T) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		need.Skip(t, "needs dpkg-query: %v", err)
	}
	d := refreshed(t, "/")
	for _, path := range []string{"/usr/bin/env", "/usr/bin/dpkg", "/usr/bin/bash", "/usr/bin/ldd"} {
		got, found, known := d.owner(path)
		require.True(t, known)
		require.True(t, found, path)
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", got.Name).Output()
		require.NoError(t, err)
		require.Equal(t, string(out), got.Version, path)
		require.Equal(t, "md5", got.Digest.Algorithm, path)
	}
}

func FuzzDpkg(f *testing.F) {
	f.Add(chrony["status"], chrony["info/chrony.list"], chrony["info/chrony.md5sums"], chrony["diversions"], "/usr/sbin/chronyd")
	f.Add("Package:a\nStatus: install ok installed\n\n\n", "/a", "x", "a\nb\nc\nd", "/a")
	f.Fuzz(func(t *testing.T, status, list, sums, diverted, path string) {
		versions, err := parseStatus(strings.NewReader(status))
		require.NoError(t, err)
		for name := range versions {
			require.NotEmpty(t, name)
			require.LessOrEqual(t, len(name), 2*maxLine)
		}
		var x pathIndex
		x.add([]byte(list), 7)
		x.sort()
		listed := false
		for line := range strings.SplitSeq(list, "\n") {
			listed = listed || line == path
		}
		if path != "" && !strings.Contains(path, "\n") {
			require.Equal(t, listed, hasLine([]byte(list), path))
		}
		for range x.find(path) {
			require.True(t, listed)
		}
		if sum, ok := findMD5([]byte(sums), path); ok {
			require.Len(t, sum, 32)
			require.Contains(t, sums, path)
		}
		d := parseDiversions([]byte(diverted))
		d.listed(path)
	})
}

// BenchmarkDpkgIndex reads the database of this host; dpkg-query finding one path is the yardstick.
func BenchmarkDpkgIndex(b *testing.B) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		b.Skip(err)
	}
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d := refreshed(b, "/")
			b.ReportMetric(float64(len(d.index.entries)), "paths")
		}
	})
	b.Run("owner", func(b *testing.B) {
		d := refreshed(b, "/")
		for b.Loop() {
			d.owner("/usr/bin/env")
		}
	})
	b.Run("dpkg-query", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, exec.Command("dpkg-query", "-S", "/usr/bin/env").Run())
		}
	})
}
