package e2e

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// frame is what a process shall put on an interface past the kernel's own protocols, before it sends a datagram in the usual way.
type frame struct {
	By        string // "AF_PACKET" or "AF_XDP"
	Interface string
	Frame     []byte
	Marker    string // where a datagram of markerSize bytes goes afterwards
}

const markerSize = 7

func playFrame() error {
	var f frame
	if err := json.NewDecoder(os.Stdin).Decode(&f); err != nil {
		return err
	}
	on, err := net.InterfaceByName(f.Interface)
	if err != nil {
		return err
	}
	if f.By == "AF_XDP" {
		err = sendXDP(on.Index, f.Frame)
	} else {
		err = sendPacket(on.Index, f.Frame)
	}
	if err != nil {
		return err
	}
	c, err := net.Dial("udp", f.Marker)
	if err != nil {
		return err
	}
	if _, err := c.Write(make([]byte, markerSize)); err != nil {
		return err
	}
	return c.Close()
}

func sendPacket(index int, frame []byte) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}); err != nil {
		return err
	}
	return unix.Close(fd)
}

// datagramFrame is an Ethernet frame with an IPv4 UDP datagram of size bytes.
func datagramFrame(from, to net.HardwareAddr, source, there netip.AddrPort, size int) []byte {
	be := binary.BigEndian
	b := append(append(append([]byte{}, to...), from...), 8, 0) // ETH_P_IP
	ip := make([]byte, 20+8+size)
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_UDP
	be.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], source.Addr().AsSlice())
	copy(ip[16:], there.Addr().AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(be.Uint16(ip[i:]))
	}
	be.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	be.PutUint16(ip[20:], source.Port())
	be.PutUint16(ip[22:], there.Port())
	be.PutUint16(ip[24:], uint16(8+size)) // no checksum
	return append(b, ip...)
}

// hardware is the address of an interface of a namespace.
func hardware(t *testing.T, where *namespace, name string) (address net.HardwareAddr) {
	t.Helper()
	where.do(t, func() {
		i, err := net.InterfaceByName(name)
		require.NoError(t, err)
		address = i.HardwareAddr
	})
	return address
}

// TestSendersNoLevelSees holds doctor and SECURITY.md to their word: frames put on an interface by AF_PACKET and AF_XDP arrive, and
// no row tells who sent them. The datagram that the same process sends afterwards is there.
func TestSendersNoLevelSees(t *testing.T) {
	const hidden = 100
	for _, by := range []string{"AF_PACKET", "AF_XDP"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			host, outside := network(t)
			s := tracing(t)
			var receiver *net.UDPConn
			var err error
			outside.do(t, func() { receiver, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP("10.9.0.2")}) })
			require.NoError(t, err)
			defer receiver.Close()
			to := receiver.LocalAddr().(*net.UDPAddr).AddrPort()
			a := newActor(t, host, "hidden")
			a.play(t, "frame", frame{By: by, Interface: "eth0", Marker: sinkFor(t, outside, "udp", public4),
				Frame: datagramFrame(hardware(t, host, "eth0"), hardware(t, outside, "eth0"),
					netip.MustParseAddrPort("10.9.0.1:4444"), to, hidden)})
			a.finish(t, patience)
			require.NoError(t, receiver.SetReadDeadline(time.Now().Add(patience)))
			n, from, err := receiver.ReadFrom(make([]byte, 1000))
			require.NoError(t, err, "the frame did not arrive")
			require.Equal(t, hidden, n)
			require.Equal(t, "10.9.0.1:4444", from.String())

			require.EventuallyWithT(t, func(c *assert.CollectT) {
				row := one(c, s, "SELECT sum(bytes_sent) AS bytes, count(*) AS n FROM process_outbound_stats WHERE path = "+quoted(a.path))
				require.EqualValues(c, markerSize, number(c, row, "bytes"))
				require.EqualValues(c, 1, number(c, row, "n"))
			}, patience, 100*time.Millisecond)
			require.Empty(t, ask(t, s, "SELECT * FROM process_outbound_stats WHERE remote_address = '10.9.0.2' AND remote_port = "+portOf(t, to.String())))
		})
	}
}
