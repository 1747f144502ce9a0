package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/quic"
)

// playQUIC makes one QUIC connection to an address, sends 5 000 bytes on a stream and ends.
func playQUIC() error {
	var address string
	if err := json.NewDecoder(os.Stdin).Decode(&address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg := &quic.Config{TLSConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"test"}}}
	endpoint, err := quic.Listen("udp", ":0", nil)
	if err != nil {
		return err
	}
	defer endpoint.Close(ctx)
	conn, err := endpoint.Dial(ctx, "udp", address, cfg)
	if err != nil {
		return err
	}
	stream, err := conn.NewStream(ctx)
	if err != nil {
		return err
	}
	if _, err := stream.Write(make([]byte, 5000)); err != nil {
		return err
	}
	if err := stream.Close(); err != nil { // waits until it is acknowledged
		return err
	}
	_ = conn.Close() // who closed first is all that it could tell
	return nil
}

// counted is a socket that counts the payload it receives.
type counted struct {
	*net.UDPConn
	bytes atomic.Int64
}

func (c *counted) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	n, oobn, flags, addr, err = c.UDPConn.ReadMsgUDPAddrPort(b, oob)
	c.bytes.Add(int64(n))
	return n, oobn, flags, addr, err
}

func (c *counted) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.UDPConn.ReadFrom(b)
	c.bytes.Add(int64(n))
	return n, addr, err
}

// serveQUIC answers QUIC on an address of a namespace until the test ends, and returns what it receives.
func serveQUIC(t *testing.T, where *namespace, address string) *counted {
	t.Helper()
	server := &counted{}
	where.do(t, func() {
		socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		require.NoError(t, err)
		server.UDPConn = socket
	})
	endpoint, err := quic.NewEndpoint(server, &quic.Config{TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(t)},
		MinVersion: tls.VersionTLS13, NextProtos: []string{"test"}}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := endpoint.Accept(ctx)
			if err != nil {
				return
			}
			if stream, err := conn.AcceptStream(ctx); err == nil {
				_, _ = io.Copy(io.Discard, stream)
			}
			_ = conn.Wait(ctx) // until the client closes it
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = endpoint.Close(ctx)
	})
	return server
}

// certificate makes one that nobody has reason to trust.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestQUICAtL3: a real QUIC client, to port 443. Each byte it puts into datagrams is told, with its process and its peer.
func TestQUICAtL3(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	s := tracing(t)
	server := serveQUIC(t, outside, net.JoinHostPort(public4, "443"))
	a := newActor(t, host, "quic")
	a.play(t, "quic", net.JoinHostPort(public4, "443"))
	a.finish(t, patience)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT * FROM process_outbound_stats WHERE path = "+quoted(a.path))
		require.Equal(c, public4, row["remote_address"])
		require.Equal(c, "443", row["remote_port"])
		require.Equal(c, "17", row["protocol"])
		require.EqualValues(c, 1, number(c, row, "connections"))
		require.EqualValues(c, server.bytes.Load(), number(c, row, "bytes_sent"))
		require.Greater(c, number(c, row, "bytes_sent"), 5000.)
	}, patience, 100*time.Millisecond)
}
