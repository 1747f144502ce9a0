package enrichment

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// host makes a root with files of the resolver.
func host(t testing.TB, files map[string]string) string {
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

var (
	server = netip.MustParseAddrPort("192.0.2.53:53")
	client = netip.MustParseAddrPort("198.51.100.2:40000")
	c2     = netip.MustParseAddr("203.0.113.66")
)

// exchange is a question and the answer c2 to it; change makes the answer another.
func exchange(n *Names, change func(answer *packet.DNS)) {
	question := packet.DNS{Local: client, Remote: server, ID: 7, Name: "ntp.example", Type: 1}
	n.take(&question)
	answer := question
	answer.Response, answer.Answers = true, []packet.Answer{{Addr: c2, TTL: time.Minute}}
	change(&answer)
	n.take(&answer)
}

func TestOnlyAnswersToOurQuestionsCount(t *testing.T) {
	evil := netip.MustParseAddrPort("203.0.113.66:53")
	tests := []struct {
		name   string
		change func(*packet.DNS)
		want   bool
	}{
		{"as asked", func(*packet.DNS) {}, true},
		{"another identifier", func(a *packet.DNS) { a.ID++ }, false},
		{"another port", func(a *packet.DNS) { a.Local = netip.AddrPortFrom(a.Local.Addr(), 40001) }, false},
		{"another server", func(a *packet.DNS) { a.Remote = netip.MustParseAddrPort("192.0.2.54:53") }, false},
		{"another name", func(a *packet.DNS) { a.Name = "ntp.ubuntu.com" }, false},
		{"another type", func(a *packet.DNS) { a.Type = 28 }, false},
		{"from nobody we use", func(a *packet.DNS) { a.Remote = evil }, false},
	}
	root := host(t, map[string]string{"etc/resolv.conf": "search x\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := NewNames(NamesConfig{Root: root})
			n.refresh()
			exchange(n, tt.change)
			name, source := n.Name(c2)
			if !tt.want {
				require.Empty(t, name+source)
				return
			}
			require.Equal(t, "ntp.example", name)
			require.Equal(t, FromDNS, source)
			exchange(n, tt.change)
			require.Zero(t, n.Stats().Unasked)
			answer := packet.DNS{Response: true, Local: client, Remote: server, ID: 7, Name: "ntp.example", Type: 1}
			n.take(&answer)
			require.EqualValues(t, 1, n.Stats().Unasked, "one answer to a question")
		})
	}
	// an implant asks its own server for the name of another: neither question nor answer counts
	n := NewNames(NamesConfig{Root: root})
	n.refresh()
	question := packet.DNS{Local: client, Remote: evil, ID: 9, Name: "ntp.ubuntu.com", Type: 1}
	n.take(&question)
	question.Response, question.Answers = true, []packet.Answer{{Addr: c2, TTL: time.Minute}}
	n.take(&question)
	name, _ := n.Name(c2)
	require.Empty(t, name)
	require.EqualValues(t, 2, n.Stats().Untrusted)
}

func TestNamesEnd(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	n := NewNames(NamesConfig{Root: t.TempDir(), Now: func() time.Time { return now }})
	n.servers.addrs = map[netip.Addr]bool{server.Addr(): true}
	for ttl, stays := range map[time.Duration]time.Duration{0: time.Hour, 2 * time.Hour: 2 * time.Hour, 1000 * time.Hour: 24 * time.Hour} {
		exchange(n, func(a *packet.DNS) { a.Answers[0].TTL = ttl })
		now = now.Add(stays - time.Second)
		name, _ := n.Name(c2)
		require.Equal(t, "ntp.example", name, ttl)
		now = now.Add(time.Second)
		name, _ = n.Name(c2)
		require.Empty(t, name, ttl)
	}
	question := packet.DNS{Local: client, Remote: server, ID: 7, Name: "late.example", Type: 1}
	n.take(&question)
	now = now.Add(patience + time.Second)
	question.Response, question.Answers = true, []packet.Answer{{Addr: c2, TTL: time.Minute}}
	n.take(&question)
	name, _ := n.Name(c2)
	require.Empty(t, name, "an answer that comes too late")
}

func TestNamesAreBounded(t *testing.T) {
	n := NewNames(NamesConfig{Root: t.TempDir(), MaxNames: 32})
	n.servers.addrs = map[netip.Addr]bool{server.Addr(): true}
	for i := range 3 * maxQuestions {
		m := packet.DNS{Local: client, Remote: server, ID: uint16(i), Name: itoa(i), Type: 1}
		n.take(&m)
		require.LessOrEqual(t, len(n.asked), maxQuestions)
		if i >= 1000 {
			continue
		}
		m.Response, m.Answers = true, []packet.Answer{{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), TTL: time.Hour}}
		n.take(&m)
		require.LessOrEqual(t, n.Stats().Heard, 32)
		name, _ := n.Name(m.Answers[0].Addr)
		require.Equal(t, itoa(i), name)
	}
}

func TestHostsFile(t *testing.T) {
	root := host(t, map[string]string{"etc/hosts": "127.0.0.1 localhost\n# 192.0.2.9 old\n192.0.2.1\tDB.internal db # ours\n" +
		"192.0.2.1 second\nfe80::1%eth0 router\n0.0.0.0 ads.example\nnonsense x\n::ffff:192.0.2.2 mapped\n192.0.2.3\n"})
	n := NewNames(NamesConfig{Root: root, NoDNS: true})
	n.refresh()
	for addr, want := range map[string]string{"192.0.2.1": "db.internal", "::ffff:192.0.2.1": "db.internal", "fe80::1": "router",
		"192.0.2.2": "mapped", "0.0.0.0": "", "192.0.2.3": "", "192.0.2.9": ""} {
		name, source := n.Name(netip.MustParseAddr(addr))
		require.Equal(t, want, name, addr)
		require.Equal(t, want != "", source == FromHosts)
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc/hosts"), []byte("192.0.2.1 renamed\n"), 0o644))
	n.refresh()
	name, _ := n.Name(netip.MustParseAddr("192.0.2.1"))
	require.Equal(t, "renamed", name)
	require.NoError(t, os.Remove(filepath.Join(root, "etc/hosts")))
	n.refresh()
	require.Zero(t, n.Stats().Hosts)
}

// TestOverhearing overhears a real resolver ask a real server, in a network namespace of the test's own.
func TestOverhearing(t *testing.T) {
	need.Root(t)
	runtime.LockOSThread() // the thread ends with the test, and the namespace with it
	require.NoError(t, unix.Unshare(unix.CLONE_NEWNET))
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		need.Skip(t, "loopback: %v: %s", err, out)
	}
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ns)
	at, err := net.ListenPacket("udp4", "127.0.0.1:53")
	require.NoError(t, err)
	defer at.Close()
	go serveNames(at)
	asking, err := net.Dial("udp4", "127.0.0.1:53") // in this thread, thus in the namespace
	require.NoError(t, err)
	defer asking.Close()
	n := NewNames(NamesConfig{Root: host(t, map[string]string{"etc/resolv.conf": "nameserver 127.0.0.1\n"}), NetNS: ns})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	require.Eventually(t, func() bool { s := n.Stats(); return s.Listening || s.Refused != nil }, waitAtMost, pollEvery)
	if err := n.Stats().Refused; err != nil {
		need.Skip(t, "packet socket: %v", err)
	}
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return asking, nil }}
	_, err = r.LookupNetIP(t.Context(), "ip4", "c2.example.")
	require.NoError(t, err)
	require.Eventually(t, func() bool { name, _ := n.Name(c2); return name == "c2.example" }, waitAtMost, pollEvery)
	cancel()
	require.NoError(t, <-done)
	require.False(t, n.Stats().Listening)
}

// serveNames answers every question for an address with c2, until the socket is closed.
func serveNames(at net.PacketConn) {
	b := make([]byte, 1500)
	for {
		size, from, err := at.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b[:size]) != nil || len(m.Questions) == 0 {
			continue
		}
		m.Response, m.Additionals = true, nil
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
			Body: &dnsmessage.AResource{A: c2.As4()}}}
		if answer, err := m.Pack(); err == nil {
			_, _ = at.WriteTo(answer, from)
		}
	}
}

func FuzzNameFiles(f *testing.F) {
	f.Add([]byte("127.0.0.1 localhost\nnameserver 192.0.2.1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for addr, name := range parseHosts(text) {
			require.True(t, addr.IsValid() && !addr.Is4In6() && addr.Zone() == "")
			require.NotContains(t, name, " ")
			require.LessOrEqual(t, len(name), 2*maxHostname)
		}
		s := servers{addrs: make(map[netip.Addr]bool)}
		s.add(text)
		require.LessOrEqual(t, len(s.addrs), maxServers)
	})
}
