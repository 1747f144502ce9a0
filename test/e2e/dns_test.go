package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const stubAddress = "127.0.0.53:53"

// playStub answers DNS on the loopback by asking an address outside, as systemd-resolved and dnsmasq do, and prints the size of
// each query.
func playStub() error {
	var upstream string
	if err := json.NewDecoder(os.Stdin).Decode(&upstream); err != nil {
		return err
	}
	stub, err := net.ListenPacket("udp", stubAddress)
	if err != nil {
		return err
	}
	fmt.Println(0) // it listens
	message := make([]byte, 1500)
	for {
		n, asker, err := stub.ReadFrom(message)
		if err != nil {
			return err
		}
		fmt.Println(n)
		out, err := net.Dial("udp", upstream)
		if err != nil {
			return err
		}
		if _, err := out.Write(message[:n]); err != nil {
			return err
		}
		if n, err = out.Read(message); err != nil {
			return err
		}
		if _, err := stub.WriteTo(message[:n], asker); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
}

// playAsker resolves a name as often as it is told, by the stub, every half second.
func playAsker() error {
	var times int
	if err := json.NewDecoder(os.Stdin).Decode(&times); err != nil {
		return err
	}
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", stubAddress)
	}}
	pace := time.NewTicker(500 * time.Millisecond)
	defer pace.Stop()
	for range times {
		<-pace.C
		var no *net.DNSError
		if _, err := resolver.LookupIPAddr(context.Background(), "c2.example."); !errors.As(err, &no) || !no.IsNotFound {
			return fmt.Errorf("resolve: %w", err)
		}
	}
	return nil
}

// serveNoNames answers that there is no such name.
func serveNoNames(t *testing.T, where *namespace, address string) {
	t.Helper()
	var server net.PacketConn
	var err error
	where.do(t, func() { server, err = net.ListenPacket("udp", address) })
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		message := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(message)
			if err != nil || n < 12 {
				return
			}
			message[2], message[3] = message[2]|0x80, message[3]&0xf0|3 // QR and NXDOMAIN, RFC 1035
			if _, err := server.WriteTo(message[:n], from); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
}

// TestDNSByAStubResolverAtL3: names asked of a stub resolver on the loopback leave this host by its hand. Told is who asked, at
// the stub's address, marked as a proxy and so kept among the candidates; and beside it what the stub itself sends.
func TestDNSByAStubResolverAtL3(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	upstream := net.JoinHostPort(public4, "53")
	serveNoNames(t, outside, upstream)
	s := sensorAt(t, host, "L3")
	stub := newActor(t, host, "stub")
	running := stub.play(t, "stub", upstream)
	require.Eventually(t, func() bool { return contains(running.out, "0\n") }, patience, 20*time.Millisecond)
	asker := newActor(t, host, "asker")
	asker.play(t, "asker", 8)
	asker.finish(t, patience)
	asked := 0
	for _, line := range strings.Fields(running.out.String()) {
		n, err := strconv.Atoi(line)
		require.NoError(t, err)
		asked += n
	}
	require.Positive(t, asked)
	for _, a := range []*actor{asker, stub} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			row := one(c, s, "SELECT sum(bytes_sent) AS bytes, group_concat(DISTINCT remote_address) AS at FROM process_outbound_stats WHERE path = "+quoted(a.path))
			require.EqualValues(c, asked, number(c, row, "bytes"))
			require.Equal(c, map[*actor]string{asker: "127.0.0.53", stub: public4}[a], row["at"])
		}, patience, 100*time.Millisecond)
	}
	asker.play(t, "asker", 100)
	require.EventuallyWithT(t, func(c *assert.CollectT) { // listeners are looked at every half minute
		row := one(c, s, "SELECT destination_class FROM beacon_candidates WHERE path = "+quoted(asker.path)+" AND scope = 'destination'")
		require.Equal(c, "loopback_proxy", row["destination_class"])
	}, 45*time.Second, 500*time.Millisecond)
}
