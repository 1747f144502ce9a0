package packages

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/printed"
)

const patience = 30 * time.Second

// TestDebianPackage installs, starts, asks, upgrades, removes and purges, on a Debian where no systemd runs.
func TestDebianPackage(t *testing.T) {
	tool(t, "dpkg")
	r := newRoot(t)
	old, renewed := r.bring(t, packageFile(t, before, runtime.GOARCH, "deb")), r.bring(t, packageFile(t, after, runtime.GOARCH, "deb"))
	const load = "/etc/osquery/extensions.load"

	r.run(t, "dpkg", "-i", old)
	require.Contains(t, r.run(t, "/usr/bin/beaconwatch.ext", "version"), before)
	require.Contains(t, r.run(t, "/usr/bin/beaconwatch.ext", "config", "check"), "configuration is valid")
	require.Empty(t, r.run(t, "dpkg", "--verify", "beaconwatch"))
	require.NoFileExists(t, r.path(load), "a service of its own needs no autoload")
	requireSafeForOsquery(t, r)
	for _, file := range []string{"/usr/share/man/man8/beaconwatch.ext.8.gz", "/usr/lib/systemd/system/beaconwatch.service",
		"/usr/share/doc/beaconwatch/beaconwatch.cdx.json"} {
		require.FileExists(t, r.path(file), file)
	}

	t.Run("modes", func(t *testing.T) {
		require.NoError(t, os.MkdirAll(filepath.Dir(r.path(load)), 0o755))
		require.NoError(t, os.WriteFile(r.path(load), []byte("/opt/other.ext"), 0o644)) // its last line is not ended
		for range 2 {
			r.run(t, "/usr/lib/beaconwatch/mode", "autoload")
			require.Equal(t, "/opt/other.ext\n/usr/lib/beaconwatch/beaconwatch.ext\n", r.read(t, load))
			require.Equal(t, "autoload\n", r.run(t, "/usr/lib/beaconwatch/mode"))
		}
		for range 2 {
			r.run(t, "/usr/lib/beaconwatch/mode", "service")
			require.Equal(t, "/opt/other.ext\n", r.read(t, load))
		}
		out, err := r.command("/usr/lib/beaconwatch/mode", "sometimes").CombinedOutput()
		require.ErrorContains(t, err, "exit status 2")
		require.Contains(t, string(out), "service, autoload or off")
	})

	first := start(t, r)
	status := first.status(t)
	require.Contains(t, status["version"], before)
	port := talk(t)
	recorded := first.rows(t, "SELECT remote_port, bytes_sent, first_seen FROM process_outbound_stats WHERE bytes_sent > 0 AND remote_port = "+port)
	r.run(t, "/usr/lib/beaconwatch/mode", "autoload")
	require.NoError(t, os.WriteFile(r.path("/etc/beaconwatch/beaconwatch.yaml"), []byte("role: bastion # edited by hand\n"), 0o644))
	r.run(t, "dpkg", "-i", renewed)
	require.Contains(t, r.run(t, "/usr/bin/beaconwatch.ext", "version"), after)
	require.Equal(t, "role: bastion # edited by hand\n", r.read(t, "/etc/beaconwatch/beaconwatch.yaml"))
	require.Contains(t, r.read(t, load), "/usr/lib/beaconwatch/beaconwatch.ext\n", "an upgrade is no removal")
	require.Zero(t, first.stop(t))

	second := start(t, r)
	status = second.status(t)
	require.Contains(t, status["version"], after)
	require.Equal(t, "bastion", status["role"])
	require.Equal(t, recorded, second.rows(t, "SELECT remote_port, bytes_sent, first_seen FROM process_outbound_stats WHERE remote_port = "+port),
		"history is kept across the upgrade")
	require.Zero(t, second.stop(t))
	requireStartsWithBadRules(t, r)

	r.run(t, "dpkg", "-r", "beaconwatch")
	require.Equal(t, "/opt/other.ext\n", r.read(t, load))
	require.NoFileExists(t, r.path("/usr/lib/beaconwatch/beaconwatch.ext"))
	require.DirExists(t, r.path("/var/lib/beaconwatch"), "removed is not purged")
	r.run(t, "dpkg", "-i", renewed)
	require.Equal(t, "autoload\n", r.run(t, "/usr/lib/beaconwatch/mode"), "installed again, it runs as it ran")
	r.run(t, "dpkg", "-P", "beaconwatch")
	for _, gone := range []string{"/var/lib/beaconwatch", "/etc/beaconwatch", "/etc/default/beaconwatch", "/usr/lib/beaconwatch", "/usr/bin/beaconwatch.ext"} {
		_, err := os.Lstat(r.path(gone))
		require.ErrorIs(t, err, os.ErrNotExist, gone)
	}
	require.Equal(t, "/opt/other.ext\n", r.read(t, load))
}

// requireSafeForOsquery asserts what osqueryd's autoload demands of an extension: its name, owner and modes.
func requireSafeForOsquery(t *testing.T, r root) {
	t.Helper()
	for dir := "/usr/lib/beaconwatch/beaconwatch.ext"; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Lstat(r.path(dir))
		require.NoError(t, err)
		stat, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		require.Zero(t, stat.Uid, dir)
		require.Zero(t, info.Mode().Perm()&0o022, dir)
		require.Zero(t, info.Mode()&(os.ModeSticky|os.ModeSymlink), dir)
	}
}

// requireStartsWithBadRules asserts that neither a rule that has expired nor a file that is broken keeps the service from starting.
func requireStartsWithBadRules(t *testing.T, r root) {
	t.Helper()
	const rule = "rules:\n  - {name: %s, comment: x, owner: x, expires: %s, program: {path: /opt/%[1]s}, destinations: any, period: any}\n"
	dir := r.path("/etc/beaconwatch/inventory.d")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, text := range map[string]string{"a.yaml": fmt.Sprintf(rule, "good", "2999-01-01"), "b.yaml": fmt.Sprintf(rule, "past", "2020-01-01")} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	s := start(t, r)
	require.Contains(t, s.status(t)["inventory_error"], "b.yaml:2:12: the rule past expired after 2020-01-01")
	require.Zero(t, s.stop(t))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.yaml"), []byte("rules: 7\n"), 0o644))
	s = start(t, r)
	require.Contains(t, s.status(t)["inventory_error"], "c.yaml:1:8: rules must be a list")
	require.Len(t, s.rows(t, "SELECT name FROM beacon_inventory_rules WHERE name = 'good'"), 1)
	require.Zero(t, s.stop(t))
	require.NoError(t, os.RemoveAll(dir))
}

// service is the command of the unit, running inside a root.
type service struct {
	root root
	cmd  *exec.Cmd
}

// start runs what the unit runs, in its order and with what stops it: ExecStartPre unless its failure is ignored, then ExecStart.
func start(t *testing.T, r root) service {
	t.Helper()
	settings, err := unitSettings(r.path("/usr/lib/systemd/system/beaconwatch.service"))
	require.NoError(t, err)
	words := func(line string) []string { return strings.Fields(strings.ReplaceAll(line, "${SOCKET}", "")) }
	for _, line := range settings["ExecStartPre"] {
		line, ignored := strings.CutPrefix(line, "-")
		if out, err := r.command(words(line)[0], words(line)[1:]...).CombinedOutput(); !ignored {
			require.NoError(t, err, string(out))
		}
	}
	command := words(settings["ExecStart"][0])
	s := service{r, r.command(command[0], command[1:]...)}
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it may have ended
	return s
}

// status waits until the service answers SQL.
func (s service) status(t *testing.T) map[string]string {
	t.Helper()
	// without a socket to ask, query would watch by itself
	require.Eventually(t, func() bool {
		_, err := os.Stat(s.root.path("/run/beaconwatch/beaconwatch.sock"))
		return err == nil
	}, patience, 20*time.Millisecond)
	var rows []map[string]string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := s.root.command("/usr/bin/beaconwatch.ext", "query", "--json", "SELECT * FROM beacon_sensor_status").Output()
		require.NoError(c, err)
		rows, err = printed.Rows(out)
		require.NoError(c, err)
		require.Len(c, rows, 1)
		require.NotEqual(c, "none", rows[0]["level"])
	}, patience, 200*time.Millisecond)
	return rows[0]
}

// rows asks until there are some.
func (s service) rows(t *testing.T, sql string) (rows []map[string]string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := s.root.command("/usr/bin/beaconwatch.ext", "query", "--json", sql).Output()
		require.NoError(c, err)
		rows, err = printed.Rows(out)
		require.NoError(c, err)
		require.NotEmpty(c, rows)
	}, patience, 200*time.Millisecond)
	return rows
}

// talk sends something to itself on loopback and returns the port.
func talk(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	conn, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte("kept across an upgrade"))
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

func (s service) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	_ = s.cmd.Wait() // its state says the same
	return s.cmd.ProcessState.ExitCode()
}
