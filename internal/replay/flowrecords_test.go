package replay

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestRecordsOfFlows(t *testing.T) {
	paths := write(t, `{"id":"a","sends":[[60.0005,7],[0,5]],"process":"/usr/bin/x","destination":"udp://192.0.2.1:53"}`+"\n"+
		`{"id":"b","host":"web1","resolution_ms":1000,"sends":[[10,1]],"destination":"c2.example:8443"}`+"\n"+
		`{"id":"c","sends":[]}`+"\n"+`{"sends":[[-1,1]]}`+"\n"+`{"sends":[[1.0005,1]]}`, shortLog(1))
	r, err := Open(paths, Config{})
	require.NoError(t, err)
	defer r.Close()
	var got []Record
	require.NoError(t, r.Run(context.Background(), func(record *Record) { got = append(got, *record) }))

	require.Equal(t, send.Open, got[0].Send.Kind, "logs come before flows")
	flow := func(host string, at time.Duration, bytes uint64, within time.Duration, protocol send.Protocol, remote string) Record {
		return Record{Host: host, Send: send.Send{Kind: send.Data, At: boottime.Time(at + 1), Within: within, Bytes: bytes,
			Socket: send.Socket{Protocol: protocol, Remote: netip.MustParseAddrPort(remote)}}}
	}
	want := []Record{
		flow("a", 0, 5, 0, send.UDP, "192.0.2.1:53"),
		flow("a", 60*time.Second+time.Millisecond/2, 7, 0, send.UDP, "192.0.2.1:53"),
		flow("web1", 11*time.Second, 1, time.Second, send.TCP, "[100::2]:8443"),
		flow("", time.Second+time.Millisecond/2, 1, 0, send.TCP, "[100::5]:0"),
	}
	want[0].Process, want[1].Process, want[2].Hostname = "/usr/bin/x", "/usr/bin/x", "c2.example"
	require.Empty(t, cmp.Diff(want, got[2:], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })))

	stats := r.Stats()
	require.Equal(t, uint64(1), stats.Bad)
	require.ErrorContains(t, stats.BadLines[0], `:4: send 1: seconds "-1" is negative`)
	require.Equal(t, uint64(6), stats.Lines())
}

func TestALineOfNeitherFormatIsBad(t *testing.T) {
	_, stats := replayed(t, write(t, `{"unrelated":1}`+"\n"+`{"sends":[[1,2]]}`), Config{})
	require.Equal(t, uint64(1), stats.Bad)
	require.Equal(t, uint64(1), stats.Rows)
	require.ErrorIs(t, stats.BadLines[0], errFormat)
}
