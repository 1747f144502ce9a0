package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// echoes is what a process shall send by a raw socket.
type echoes struct {
	To        netip.Addr
	Count     int
	Connected bool
	// Hold keeps the socket until the process is told to end.
	Hold bool
}

// playEchoes sends ICMP echo requests of 64 bytes.
func playEchoes() error {
	var e echoes
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	there := &unix.SockaddrInet4{Addr: e.To.As4()}
	request := make([]byte, 64)
	copy(request, []byte{8, 0, 0xf7, 0xff})
	if e.Connected {
		if err := unix.Connect(fd, there); err != nil {
			return err
		}
	}
	for range e.Count {
		if e.Connected {
			_, err = unix.Write(fd, request)
		} else {
			err = unix.Sendto(fd, request, 0, there)
		}
		if err != nil {
			return err
		}
	}
	fmt.Println("sent")
	if e.Hold {
		_, err = unix.Poll(nil, -1) // until it is killed
		return err
	}
	return unix.Close(fd)
}

// TestRawSendersAtL3: by raw sockets, connected or not, every byte is told.
func TestRawSendersAtL3(t *testing.T) {
	t.Parallel()
	host, _ := network(t)
	s := tracing(t)
	for _, connected := range []bool{false, true} {
		a := newActor(t, host, "ping")
		a.play(t, "echoes", echoes{To: netip.MustParseAddr(public4), Count: 5, Connected: connected})
		a.finish(t, patience)
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			row := one(c, s, "SELECT * FROM process_outbound_stats WHERE path = "+quoted(a.path))
			require.Equal(c, public4, row["remote_address"])
			require.Equal(c, "1", row["protocol"])
			require.EqualValues(c, 5*64, number(c, row, "bytes_sent"))
			require.Equal(c, connected, row["quality"] != "inferred", row["quality"])
		}, patience, 100*time.Millisecond)
	}
}

// TestRawSendersByProc: without eBPF /proc/net/raw shows the sockets that are connected, for as long as they are, and no bytes.
func TestRawSendersByProc(t *testing.T) {
	t.Parallel()
	host, _ := network(t)
	s := newSensor(t, host)
	a := newActor(t, host, "ping")
	held := a.play(t, "echoes", echoes{To: netip.MustParseAddr(public4), Count: 1, Connected: true, Hold: true})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		row := one(c, s, "SELECT * FROM process_outbound_stats WHERE path = "+quoted(a.path))
		require.Equal(c, public4, row["remote_address"])
		require.Equal(c, "1", row["protocol"])
		require.EqualValues(c, 1, number(c, row, "connections"))
		require.Zero(c, number(c, row, "bytes_sent"))
		require.Equal(c, "inferred", row["quality"])
	}, patience, 100*time.Millisecond)
	held.kill()
}
