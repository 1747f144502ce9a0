package e2e

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// volley is how many datagrams a process shall send, to two addresses in turn, from one socket.
type volley struct {
	To    [2]netip.AddrPort
	Count int
}

// size of the datagram with that number: 10 to 19 bytes.
func (volley) size(i int) int { return 10 + i%10 }

// bytes that go to either address.
func (v volley) bytes() (sum [2]int) {
	for i := range v.Count {
		sum[i%2] += v.size(i)
	}
	return sum
}

func playVolley() error {
	var v volley
	if err := json.NewDecoder(os.Stdin).Decode(&v); err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	payload := make([]byte, 20)
	for i := range v.Count {
		if _, err := socket.WriteToUDPAddrPort(payload[:v.size(i)], v.To[i%2]); err != nil {
			return err
		}
	}
	return socket.Close()
}

// TestDatagramsOfTenProcessesAtL3: 100 000 datagrams as fast as they go, from ten processes of one program to two peers. In the
// end each process has its bytes at each of its peers.
func TestDatagramsOfTenProcessesAtL3(t *testing.T) {
	t.Parallel()
	const processes = 10
	host, outside := network(t)
	s := tracing(t)
	v := volley{Count: 10_000}
	for i, address := range []string{public4, private4} {
		v.To[i] = netip.MustParseAddrPort(sinkFor(t, outside, "udp", address))
	}
	a := newActor(t, host, "volley")
	for range processes {
		a.play(t, "volley", v)
	}
	a.finish(t, patience)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for i, to := range v.To {
			rows := ask(c, s, "SELECT pid, bytes_sent, send_count FROM process_outbound_stats WHERE path = "+quoted(a.path)+
				" AND remote_address = "+quoted(to.Addr().String())+" AND remote_port = "+strconv.Itoa(int(to.Port())))
			require.Len(c, rows, processes)
			pids := map[string]bool{}
			for _, row := range rows {
				pids[row["pid"]] = true
				require.EqualValues(c, v.bytes()[i], number(c, row, "bytes_sent"))
				require.EqualValues(c, v.Count/2, number(c, row, "send_count"))
			}
			for _, p := range a.records {
				require.True(c, pids[strconv.Itoa(p.pid())])
			}
		}
	}, patience, 100*time.Millisecond)
	status := one(t, s, "SELECT lost_events FROM beacon_sensor_status")
	t.Logf("%d datagrams, %s records lost", processes*v.Count, status["lost_events"])
}
