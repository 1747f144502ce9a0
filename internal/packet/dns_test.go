package packet

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// message builds a DNS message; of each answer of "owner type value" it has a record with a TTL of a minute.
func message(t testing.TB, change func(*dnsmessage.Message), name string, answers ...string) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: len(answers) > 0}}
	m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
	for _, a := range answers {
		f := strings.Fields(a)
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(f[0]), Class: dnsmessage.ClassINET, TTL: 60}
		var body dnsmessage.ResourceBody
		switch f[1] {
		case "A":
			body = &dnsmessage.AResource{A: netip.MustParseAddr(f[2]).As4()}
		case "AAAA":
			body = &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(f[2]).As16()}
		case "CNAME":
			h.TTL = 5
			body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(f[2])}
		case "TXT":
			body = &dnsmessage.TXTResource{TXT: []string{f[2]}}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: body})
	}
	if change != nil {
		change(&m)
	}
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

func TestDecodeDNS(t *testing.T) {
	addr := func(s string, ttl int) Answer {
		return Answer{netip.MustParseAddr(s), time.Duration(ttl) * time.Second}
	}
	aaaa := func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }
	tests := []struct {
		name string
		in   []byte
		want []Answer // nil: not about addresses
	}{
		{"question", message(t, nil, "A.Example."), []Answer{}},
		{"address", message(t, nil, "a.example.", "A.EXAMPLE. A 192.0.2.1"), []Answer{addr("192.0.2.1", 60)}},
		{"several", message(t, aaaa, "a.example.", "a.example. AAAA 2001:db8::1", "a.example. AAAA 2001:db8::2"),
			[]Answer{addr("2001:db8::1", 60), addr("2001:db8::2", 60)}},
		{"aliases", message(t, nil, "a.example.", "a.example. CNAME b.example.", "b.example. CNAME c.example.", "c.example. A 192.0.2.3"),
			[]Answer{addr("192.0.2.3", 5)}},
		{"of another name", message(t, nil, "a.example.", "ntp.ubuntu.com. A 192.0.2.66"), []Answer{}},
		{"an alias of another name", message(t, nil, "a.example.", "x.example. CNAME b.example.", "b.example. A 192.0.2.66"), []Answer{}},
		{"other records", message(t, nil, "a.example.", "a.example. TXT hello", "a.example. A 192.0.2.1"), []Answer{addr("192.0.2.1", 60)}},
		{"text asked for", message(t, func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeTXT }, "a.example."), nil},
		{"no such name", message(t, func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError }, "a.example.", "a.example. A 192.0.2.1"), nil},
		{"cut short", message(t, func(m *dnsmessage.Message) { m.Truncated = true }, "a.example.", "a.example. A 192.0.2.1"), nil},
		{"an update", message(t, func(m *dnsmessage.Message) { m.OpCode = 5 }, "a.example."), nil},
		{"no host's name", message(t, nil, "a\x1b[31m.example."), nil},
		{"the root", message(t, nil, "."), nil},
		{"negative TTL", message(t, func(m *dnsmessage.Message) { m.Answers[0].Header.TTL = 1 << 31 }, "a.example.", "a.example. A 192.0.2.1"),
			[]Answer{addr("192.0.2.1", 0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := DNS{Answers: []Answer{}}
			err := m.decode(tt.in)
			if tt.want == nil {
				require.ErrorIs(t, err, errNoAddresses)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "a.example", m.Name)
			require.EqualValues(t, 7, m.ID)
			require.Equal(t, tt.want, m.Answers)
		})
	}
	for _, bad := range [][]byte{nil, {1}, message(t, nil, "a.example.")[:15], message(t, nil, "a.example.", "a.example. A 192.0.2.1")[:40]} {
		require.Error(t, new(DNS).decode(bad))
	}
}

func FuzzDecodeDNS(f *testing.F) {
	f.Add(message(f, nil, "a.example."))
	f.Add(message(f, nil, "a.example.", "a.example. CNAME b.example.", "b.example. A 192.0.2.3"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m DNS
		if m.decode(text) != nil {
			return
		}
		require.NotEmpty(t, m.Name)
		require.LessOrEqual(t, len(m.Name), 255)
		require.Empty(t, strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_."))
		require.LessOrEqual(t, len(m.Answers), maxAnswers)
		for _, a := range m.Answers {
			require.True(t, a.Addr.IsValid())
			require.GreaterOrEqual(t, a.TTL, time.Duration(0))
		}
	})
}

// TestNamesOnTheWire listens to a real exchange over loopback, among datagrams of another port.
func TestNamesOnTheWire(t *testing.T) {
	c := open(t, Config{Want: Names})
	server, err := net.ListenPacket("udp4", "127.0.0.1:53")
	require.NoError(t, err)
	defer server.Close()
	other, err := net.ListenPacket("udp4", "127.0.0.1:5353")
	require.NoError(t, err)
	defer other.Close()
	question := message(t, nil, "a.example.")
	answer := message(t, nil, "a.example.", "a.example. A 192.0.2.1")
	client, err := net.Dial("udp4", "127.0.0.1:53")
	require.NoError(t, err)
	defer client.Close()
	_, err = other.WriteTo(question, other.LocalAddr())
	require.NoError(t, err)
	_, err = client.Write([]byte("nonsense"))
	require.NoError(t, err)
	_, err = client.Write(question)
	require.NoError(t, err)
	_, err = server.WriteTo(answer, client.LocalAddr())
	require.NoError(t, err)

	local, remote := client.LocalAddr().(*net.UDPAddr).AddrPort(), netip.MustParseAddrPort("127.0.0.1:53")
	want := []DNS{{Local: local, Remote: remote, ID: 7, Name: "a.example", Type: 1, Answers: []Answer{}},
		{Response: true, Local: local, Remote: remote, ID: 7, Name: "a.example", Type: 1, Answers: []Answer{{netip.MustParseAddr("192.0.2.1"), time.Minute}}}}
	var got []DNS
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	for len(got) < len(want) {
		there, err := c.Wait()
		require.NoError(t, err)
		require.True(t, there, "%d of %d messages", len(got), len(want))
		m := DNS{Answers: []Answer{}}
		for ok := true; ok; {
			ok, err = c.NextDNS(&m)
			require.NoError(t, err)
			if ok {
				got = append(got, m)
				m.Answers = []Answer{}
			}
		}
	}
	require.Equal(t, want, got)
	require.EqualValues(t, 1, c.Malformed(), "the nonsense")
}

func TestNamesCanOnlyBeHadAlone(t *testing.T) {
	_, err := Open(Config{Want: Names | SYNs})
	require.ErrorContains(t, err, "alone")
}

// BenchmarkDatagramBesideTheTap is what a datagram of another port costs its sender and receiver while names are listened to;
// without is the yardstick.
func BenchmarkDatagramBesideTheTap(b *testing.B) {
	c := open(b, Config{Want: Names})
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(b, err)
	defer server.Close()
	client, err := net.Dial("udp4", server.LocalAddr().String())
	require.NoError(b, err)
	defer client.Close()
	message := make([]byte, 1000)
	exchange := func(b *testing.B) {
		for b.Loop() {
			_, err := client.Write(message)
			require.NoError(b, err)
			_, _, err = server.ReadFrom(message)
			require.NoError(b, err)
		}
	}
	b.Run("with", exchange)
	require.NoError(b, unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_LOOP)})) // nothing of that comes
	b.Run("without", exchange)
}
