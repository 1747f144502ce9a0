package source

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/packet"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sockdiag"
)

func TestPacketDatagrams(t *testing.T) {
	enterNamespace(t)
	p, err := NewPacket(PacketConfig{Period: 5 * time.Millisecond})
	r := run(t, p, err)
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	to := l.LocalAddr().(*net.UDPAddr).AddrPort()
	c, err := net.Dial("udp4", to.String())
	require.NoError(t, err)
	defer c.Close()
	client := c.LocalAddr().(*net.UDPAddr).AddrPort()
	cookie := uint64(0)
	raw, err := c.(*net.UDPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		cookie, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE)
	}))
	before := boottime.Now()
	buffer := make([]byte, 100)
	for range 20 {
		write(t, c, 40)
		_, from, err := l.ReadFrom(buffer)
		require.NoError(t, err)
		_, err = l.WriteTo(buffer[:90], from)
		require.NoError(t, err)
		_, err = c.Read(buffer)
		require.NoError(t, err)
	}
	after := boottime.Now()
	require.Eventually(t, func() bool { return bytesOf(r.of(client)) == 20*40 }, patience, time.Millisecond)
	var sends uint32
	for _, s := range r.of(client) {
		require.Equal(t, to, s.Socket.Remote, "the answers are not outbound")
		require.Equal(t, cookie, s.Socket.Cookie)
		require.Equal(t, uint32(os.Getuid()), s.Socket.UID)
		require.Zero(t, s.Sender)
		require.GreaterOrEqual(t, s.At, before)
		require.LessOrEqual(t, s.At.Add(-s.Within), after)
		sends += s.Sends
	}
	require.Equal(t, uint32(20), sends)
	require.Equal(t, uint64(1), r.Stats().Passive)
}

func TestPacketTrigger(t *testing.T) {
	enterNamespace(t)
	var mu sync.Mutex
	met := make(map[netip.AddrPort]netip.AddrPort)
	p, err := NewPacket(PacketConfig{Trigger: func(local, remote netip.AddrPort) {
		mu.Lock()
		defer mu.Unlock()
		met[local] = remote
	}})
	r := run(t, p, err)
	to := server(t, "127.0.0.1:0", func(net.Conn) {})
	c := dial(t, to)
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return met[c.LocalAddr().(*net.TCPAddr).AddrPort()] == to
	}, patience, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, met, 1, "neither answers nor accepted connections trigger")
	require.Empty(t, r.of(to), "TCP is for the sampler to tell")
}

// watcher returns a Packet that only observes, and where what it emits goes.
func watcher(cfg PacketConfig) (*Packet, *[]send.Send) {
	var got []send.Send
	if err := cfg.setDefaults(); err != nil {
		panic(err)
	}
	p := &Packet{cfg: cfg, pairs: make(map[pairKey]*pair), owners: make(map[uint16][]sockdiag.Socket), started: 1}
	p.emit = func(s send.Send) { got = append(got, s) }
	return p, &got
}

func TestPacketFolds(t *testing.T) {
	p, got := watcher(PacketConfig{})
	out := packet.Packet{Protocol: 17, Outgoing: true, Local: here, Remote: there, Size: 10}
	p.quiet = 500
	p.datagram(&out, 1000)
	p.datagram(&out, 2000)
	p.flush(2000)
	p.quiet = boottime.Time(time.Minute)
	p.datagram(&out, p.quiet+5)
	p.flush(p.quiet + 5)
	p.sweep(boottime.Time(time.Hour))
	require.Len(t, *got, 4)
	data := only(send.Data, *got)
	require.Equal(t, []uint64{20, 10}, []uint64{data[0].Bytes, data[1].Bytes})
	require.Equal(t, uint32(2), data[0].Sends)
	require.Equal(t, boottime.Time(2000), data[0].At)
	require.Equal(t, time.Duration(1500), data[0].Within)
	require.Equal(t, time.Duration(5), data[1].Within)
	require.Equal(t, send.Inferred, data[0].Quality, "it may have begun before the source did")
	require.Empty(t, p.pairs)
}

func TestPacketDirection(t *testing.T) {
	out := packet.Packet{Protocol: 17, Outgoing: true, Local: here, Remote: there, Size: 10}
	in := out
	in.Outgoing = false
	later := boottime.Time(time.Hour)
	tests := map[string]struct {
		cfg     PacketConfig
		packets []packet.Packet
		want    uint64
	}{
		"ours first":             {PacketConfig{}, []packet.Packet{out, in, out}, 20},
		"theirs first":           {PacketConfig{}, []packet.Packet{in, out, out}, 0},
		"forwarded, no socket":   {PacketConfig{Forwards: true}, []packet.Packet{out}, 0},
		"no room for a new pair": {PacketConfig{MaxPairs: 1}, []packet.Packet{{Protocol: 17, Local: there, Remote: here}, out}, 0},
	}
	for name, tt := range tests {
		p, got := watcher(tt.cfg)
		for i := range tt.packets {
			p.datagram(&tt.packets[i], later)
		}
		p.flush(later)
		require.Equal(t, tt.want, bytesOf(*got), name)
		for _, s := range *got {
			require.Equal(t, send.Aggregated, s.Quality, name)
		}
		require.LessOrEqual(t, len(p.pairs), p.cfg.MaxPairs, name)
	}
}

func TestPacketDoesNotAllocate(t *testing.T) {
	p, _ := watcher(PacketConfig{})
	p.emit = func(send.Send) {}
	out := packet.Packet{Protocol: 17, Outgoing: true, Local: here, Remote: there, Size: 10}
	step := func() { p.datagram(&out, 1000); p.flush(1000) }
	step()
	require.Zero(t, testing.AllocsPerRun(100, step))
}

func TestPacketConfig(t *testing.T) {
	for name, cfg := range map[string]PacketConfig{
		"too fast": {Period: 1}, "idle within a period": {Idle: time.Millisecond}, "no pairs": {MaxPairs: -1},
	} {
		_, err := NewPacket(cfg)
		require.ErrorContains(t, err, "packet: period", name)
	}
}
