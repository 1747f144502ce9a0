package pipeline

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// rsyslogd is one daemon with a configuration of ours, as it is shipped but for its places.
type rsyslogd struct {
	path, file, dir string
	cmd             *exec.Cmd
	said            bytes.Buffer
}

// startRsyslog runs packs/shippers/rsyslog/name with what stands in it replaced, old, new, old, new: all of it must be there.
func startRsyslog(t *testing.T, name string, replace ...string) *rsyslogd {
	t.Helper()
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		path = "/usr/sbin/rsyslogd"
		if _, err := os.Stat(path); err != nil {
			need.Skip(t, "rsyslog is not installed (Debian's packages rsyslog and rsyslog-pgsql)")
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "packs", "shippers", "rsyslog", name))
	require.NoError(t, err)
	r := &rsyslogd{dir: room(t)}
	replace = append(replace, "/var/spool/rsyslog", r.dir)
	config := string(text)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, config, replace[i])
		config = strings.ReplaceAll(config, replace[i], replace[i+1])
	}
	file := write(t, filepath.Join(r.dir, "rsyslog.conf"), config)
	checked, err := exec.Command(path, "-N1", "-f", file).CombinedOutput()
	require.NoError(t, err, "%s", checked)
	r.path, r.file = path, file
	r.start(t)
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("%s: %s", name, r.said.String())
		}
	})
	return r
}

// start starts it, for the first time or again where it was.
func (r *rsyslogd) start(t *testing.T) {
	t.Helper()
	r.cmd = exec.Command(r.path, "-n", "-i", filepath.Join(r.dir, "pid"), "-f", r.file)
	r.cmd.Stdout, r.cmd.Stderr = &r.said, &r.said
	require.NoError(t, r.cmd.Start())
}

// stop ends it as the system does; what is on its way is finished or kept.
func (r *rsyslogd) stop() {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		_ = r.cmd.Wait()
	}
}

// freePort finds a TCP port on loopback that nobody has.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// linesOf returns the lines of the files that match.
func linesOf(pattern string) []string {
	var all []string
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			all = append(all, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		}
	}
	return all
}

// collector is what the lines of all hosts go to.
type collector struct {
	*rsyslogd
	port, logs string
}

// startCollector runs the collector in front of PostgreSQL.
func startCollector(t *testing.T, p *postgresql) *collector {
	c := &collector{port: freePort(t), logs: room(t)}
	c.rsyslogd = startRsyslog(t, "beaconwatch-collector.conf", "10514", c.port, "/var/log/beaconwatch", c.logs,
		"postgresql://beaconwatch@/beaconwatch?host=/var/run/postgresql", "postgresql://beacon@/postgres?host="+p.dir,
		`type="imtcp" port`, `type="imtcp" address="127.0.0.1" port`)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+c.port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "the collector listens")
	return c
}

// startHosts runs the configuration of a host over the logs of many: dir/<host>/osqueryd.results.log and so on.
func startHosts(t *testing.T, c *collector, dir string) *rsyslogd {
	return startRsyslog(t, "beaconwatch-host.conf", "/var/log/osquery/", dir+"/*/", "collector.example.net", "127.0.0.1", "10514", c.port,
		`action.resumeInterval="10"`, `action.resumeInterval="1"`)
}
