package enrichment

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rpmdb "github.com/anchore/go-rpmdb/pkg"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// asReader makes the test binary what the sensor runs to read an rpm database.
const asReader = "BEACONWATCH_TEST_RPM_READER"

func TestMain(m *testing.M) {
	if os.Getenv(asReader) == "" {
		os.Exit(m.Run())
	}
	if err := DumpRPM(os.Args[len(os.Args)-1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reader(t testing.TB) []string {
	t.Setenv(asReader, "1")
	own, err := os.Executable()
	require.NoError(t, err)
	return []string{own, "read"}
}

// rpmRoot installs a throw-away package with the real rpm into a root of its own, and returns that.
func rpmRoot(t testing.TB) string {
	for _, tool := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(tool); err != nil {
			need.Skip(t, "needs %s (Debian: rpm): %v", tool, err)
		}
	}
	dir := t.TempDir()
	spec := filepath.Join(dir, "sleepy.spec")
	require.NoError(t, os.WriteFile(spec, []byte(`Name: sleepy
Version: 7
Release: 1
Epoch: 2
Summary: sleeps
License: none
BuildArch: noarch
%description
sleeps
%install
mkdir -p %{buildroot}/usr/sbin %{buildroot}/bin %{buildroot}/usr/share/sleepy
echo sleep >%{buildroot}/usr/sbin/sleepy
echo doze >%{buildroot}/bin/dozy
echo text >%{buildroot}/usr/share/sleepy/notes
echo code >%{buildroot}/usr/share/sleepy/job.py
%files
%attr(755,root,root) /usr/sbin/sleepy
%attr(755,root,root) /bin/dozy
/usr/share/sleepy/notes
/usr/share/sleepy/job.py
`), 0o644))
	run := func(name string, args ...string) {
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	run("rpmbuild", "-bb", "--quiet", "--define", "_topdir "+dir+"/top", "--define", "_rpmdir "+dir+"/out",
		"--define", "_binary_filedigest_algorithm 8", "--define", "_build_id_links none", spec)
	root := filepath.Join(dir, "root")
	require.NoError(t, os.MkdirAll(root, 0o755))
	at := []string{"--root", root, "--define", "_dbpath /var/lib/rpm"}
	run("rpm", append(at, "--initdb")...)
	run("rpm", append(at, "-i", "--nodeps", "--nosignature", "--force-debian", dir+"/out/noarch/sleepy-7-1.noarch.rpm")...)
	return root
}

func TestRPMOwner(t *testing.T) {
	need.Root(t)
	root := rpmRoot(t)
	r := &rpm{root: root, reader: reader(t)}
	changed, err := r.refresh()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, 1, r.len())
	sum := func(text string) Digest {
		s := sha256.Sum256([]byte(text))
		return Digest{Algorithm: "sha256", Hex: hex.EncodeToString(s[:])}
	}
	for path, want := range map[string]Package{
		"/usr/sbin/sleepy":         {"sleepy", "2:7-1", "rpm", sum("sleep\n")},
		"/bin/dozy":                {"sleepy", "2:7-1", "rpm", sum("doze\n")},
		"/usr/share/sleepy/job.py": {"sleepy", "2:7-1", "rpm", sum("code\n")},
		"/usr/share/sleepy/notes":  {}, // nothing runs it
		"/usr/sbin/chronyd":        {},
		"/usr/bin/dozy":            {},
	} {
		got, found, known := r.owner(path)
		require.True(t, known)
		require.Equal(t, want != Package{}, found, path)
		require.Equal(t, want, got, path)
	}
	changed, err = r.refresh()
	require.NoError(t, err)
	require.False(t, changed)

	require.NoError(t, os.RemoveAll(filepath.Join(root, "bin")))
	require.NoError(t, os.Symlink("usr/bin", filepath.Join(root, "bin")))
	r.merged = aliasesBelow(root)
	_, found, _ := r.owner("/usr/bin/dozy")
	require.True(t, found, "listed where it was before /usr was merged")
}

// distributions is where databases are as distributions ship them: they come with the library that reads them.
func distributions(t testing.TB) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anchore/go-rpmdb").Output()
	if err != nil {
		need.Skip(t, "needs the source of go-rpmdb: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg/testdata")
}

// TestRPMDatabasesOfDistributions reads databases as distributions ship them, in each of the three forms.
func TestRPMDatabasesOfDistributions(t *testing.T) {
	data := distributions(t)
	for _, tt := range []struct {
		form, from, name, path string
		want                   Package
	}{
		{"Berkeley DB, MD5", "centos5-plain", "Packages", "/bin/bash", Package{"bash", "3.2-33.el5_11.4", "rpm", Digest{Algorithm: "md5"}}},
		{"Berkeley DB", "centos7-plain", "Packages", "/usr/bin/bash", Package{"bash", "4.2.46-30.el7", "rpm", Digest{Algorithm: "sha256"}}},
		{"ndb", "sle15-bci", "Packages.db", "/usr/bin/bash", Package{"bash", "4.4-19.6.1", "rpm", Digest{Algorithm: "sha256"}}},
		{"SQLite", "rockylinux-9", "rpmdb.sqlite", "/usr/bin/bash", Package{"bash", "5.1.8-6.el9_1", "rpm", Digest{Algorithm: "sha256"}}},
	} {
		t.Run(tt.form, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "usr/lib/sysimage/rpm")
			require.NoError(t, os.MkdirAll(dir, 0o755))
			whole, err := os.ReadFile(filepath.Join(data, tt.from, tt.name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, tt.name), whole, 0o644))
			r := &rpm{root: root, reader: reader(t)}
			_, err = r.refresh()
			require.NoError(t, err)
			got, found, known := r.owner(tt.path)
			require.True(t, found && known, tt.path)
			require.NotEmpty(t, got.Digest.Hex)
			tt.want.Digest.Hex = got.Digest.Hex
			require.Equal(t, tt.want, got)
		})
	}
}

// TestDamagedRPMDatabase: whatever is wrong with it, the sensor lives, says so and does not claim that a program has no
// package.
func TestDamagedRPMDatabase(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "var/lib/rpm/Packages")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	r := &rpm{root: root, reader: reader(t)}
	for n, damaged := range [][]byte{{}, []byte("nonsense"), bytes.Repeat([]byte{0xff}, 1<<16), append([]byte("SQLite format 3\x00"), make([]byte, 4096)...)} {
		require.NoError(t, os.WriteFile(path, damaged, 0o644))
		changed, err := r.refresh()
		require.Error(t, err, n)
		require.True(t, changed)
		_, found, known := r.owner("/bin/bash")
		require.False(t, found || known)
		changed, again := r.refresh()
		require.Same(t, err, again, "not tried again until it changes")
		require.False(t, changed)
	}
	require.NoError(t, os.Remove(path))
	_, err := r.refresh()
	require.NoError(t, err)
	_, _, known := r.owner("/bin/bash")
	require.True(t, known, "there are no packages")
}

func TestRPMWithoutAReader(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib/rpm"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "var/lib/rpm/Packages"), nil, 0o644))
	r := &rpm{root: root}
	_, err := r.refresh()
	require.ErrorIs(t, err, errNoReader)
	_, _, known := r.owner("/bin/bash")
	require.False(t, known)
}

func FuzzRPMDump(f *testing.F) {
	f.Add("package\tsleepy\t2:7-1\tsha256\nfile\tabcd\t/usr/sbin/sleepy\n", "/usr/sbin/sleepy")
	f.Add("file\tabcd\t/x\n", "/x")
	f.Fuzz(func(t *testing.T, text, path string) {
		var r rpm
		if r.decode(strings.NewReader(text)) != nil {
			return
		}
		if p, found, _ := r.owner(path); found {
			require.Contains(t, text, p.Name)
			require.Contains(t, text, path)
		}
	})
}

func TestAliases(t *testing.T) {
	root := t.TempDir()
	for link, target := range map[string]string{"bin": "usr/bin", "sbin": "/usr/sbin", "usr/sbin": "bin"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, link)), 0o755))
		require.NoError(t, os.Symlink(target, filepath.Join(root, link)))
	}
	merged := aliasesBelow(root)
	require.ElementsMatch(t, []string{"/usr/bin/x", "/usr/sbin/x", "/bin/x", "/sbin/x"}, names("/usr/bin/x", merged))
	require.Equal(t, []string{"/opt/x"}, names("/opt/x", merged))
	require.Equal(t, []string{"/usr/bin/x"}, names("/usr/bin/x", nil))
}

// TestRPMHeadersAsTheLibraryReadsThem compares with what the library makes of the same databases when it holds them whole.
func TestRPMHeadersAsTheLibraryReadsThem(t *testing.T) {
	for _, name := range []string{"centos5-plain/Packages", "centos7-plain/Packages", "sle15-bci/Packages.db", "rockylinux-9/rpmdb.sqlite"} {
		path := filepath.Join(distributions(t), name)
		db, err := rpmdb.Open(path)
		require.NoError(t, err)
		packages, err := db.ListPackages()
		require.NoError(t, err)
		var want strings.Builder
		for _, p := range packages {
			version := p.Version + "-" + p.Release
			if p.Epoch != nil {
				version = itoa(*p.Epoch) + ":" + version
			}
			method := "md5"
			if p.DigestAlgorithm != 0 {
				method = p.DigestAlgorithm.String()
			}
			fmt.Fprintf(&want, "package\t%s\t%s\t%s\n", p.Name, version, method)
			files, err := p.InstalledFiles()
			require.NoError(t, err)
			for _, f := range files {
				if f.Mode&unix.S_IFMT == unix.S_IFREG && (f.Mode&0o111 != 0 || scriptSuffixes[filepath.Ext(f.Path)]) {
					fmt.Fprintf(&want, "file\t%s\t%s\n", f.Digest, f.Path)
				}
			}
		}
		var got strings.Builder
		require.NoError(t, DumpRPM(path, &got))
		require.Equal(t, want.String(), got.String(), name)
		require.Greater(t, len(packages), 10)
	}
}

func FuzzRPMHeader(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x03\xe8\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x01bash\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parseRPMHeader(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(h.version())+len(h.text(rpmName)), 3*len(text)+32)
		n := 0
		_ = h.files(func(rpmListed) { n++ })
		require.LessOrEqual(t, n, len(text))
		out := bufio.NewWriter(io.Discard)
		_ = dumpPackage(out, h)
	})
}
