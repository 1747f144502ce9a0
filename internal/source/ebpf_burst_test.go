package source

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/bpf"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Threads that share one socket send bursts to two peers while their totals are read as often as can be, and before the ring: its
// records are old by then. Whatever comes first, and between whichever two additions of the programs, all is told once.
func TestEBPFBurstsAreToldOnce(t *testing.T) {
	const threads, each, size = 8, 10_000, 21
	e := newEBPF(t, EverySend)
	defer func() { require.NoError(t, e.Close()) }()
	enterNamespace(t)
	var to [2]netip.AddrPort
	sums := make(map[netip.AddrPort]send.Send, 2)
	for i := range to {
		l, err := net.ListenPacket("udp4", "127.0.0.1:0") // what nobody reads is dropped there
		require.NoError(t, err)
		defer l.Close()
		to[i] = l.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	opens := 0
	e.emit = func(s send.Send) {
		if s.Socket.NetNS == 0 || s.Sender != int32(os.Getpid()) {
			return // the programs see what others send, too
		}
		if s.Kind == send.Open {
			opens++
		}
		sum := sums[s.Socket.Remote]
		sum.Bytes, sum.Sends = sum.Bytes+s.Bytes, sum.Sends+s.Sends
		sums[s.Socket.Remote] = sum
	}
	c, err := net.ListenUDP("udp4", nil)
	require.NoError(t, err)
	defer c.Close()
	var all sync.WaitGroup
	for thread := range threads {
		all.Go(func() {
			payload := make([]byte, size)
			for i := range each {
				if _, err := c.WriteToUDPAddrPort(payload, to[(thread+i)%2]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sent := make(chan struct{})
	go func() { all.Wait(); close(sent) }()
	var event bpf.Event
	look := func() {
		require.NoError(t, e.tracer.Flush(int64(boottime.Now()), e.handle))
		e.tracer.Interrupt()
		for ok := true; ok; {
			ok, err = e.tracer.Next(&event)
			require.NoError(t, err)
			if ok {
				e.handle(&event)
			}
		}
	}
	for sending := true; sending; look() {
		select {
		case <-sent:
			sending = false
		default:
		}
	}
	look()
	require.Equal(t, 2, opens)
	require.Zero(t, e.counters.NoDestination)
	for _, at := range to {
		require.EqualValues(t, threads*each/2, sums[at].Sends)
		require.EqualValues(t, threads*each/2*size, sums[at].Bytes)
	}
}

// When it takes long to put sends down to their processes, other things are not left undone for it.
func TestEBPFReadsForALimitedTime(t *testing.T) {
	const sockets = 200
	e := newEBPF(t, EverySend)
	defer func() { require.NoError(t, e.Close()) }()
	e.cfg.Period = time.Millisecond
	own := 0
	e.emit = func(s send.Send) {
		if s.Sender == int32(os.Getpid()) && s.Kind == send.Data {
			own++
		}
		for began := boottime.Now(); boottime.Now().Sub(began) < time.Millisecond; {
		}
	}
	for range sockets {
		c, err := net.Dial("udp4", "127.0.0.1:9")
		require.NoError(t, err)
		write(t, c, 10)
		require.NoError(t, c.Close())
	}
	e.tracer.Interrupt()
	for own < sockets {
		handled, err := e.drain()
		require.NoError(t, err)
		require.Positive(t, handled, "%d sends came", own)
		require.Less(t, handled, sockets)
	}
}
