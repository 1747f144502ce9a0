// Package protocol measures what a query costs across the extension protocol: the real tables over a filled store, served
// as the extension serves them, asked through an embedded host. The yardstick in the same run is the transport osquery-go
// has by default, which writes each value by itself.
package protocol

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	osquery "github.com/osquery/osquery-go"
	gen "github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/sensor"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/internal/wire"
)

const (
	pairs = 5_000  // candidates
	flows = 10_000 // rows of process_outbound_stats: two processes a pair
)

// filled is a store of beacons, ranked, and what the tables ask of the rest of a sensor.
func filled(t testing.TB, pairs int) table.Deps {
	store, err := history.New(history.Config{MaxPairs: pairs, MaxFlows: 2 * pairs})
	require.NoError(t, err)
	ranker, err := candidate.New(candidate.Config{Store: store})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for beat := range 12 {
		for p := range pairs {
			store.Record(&history.Key{Program: process.Program{Path: fmt.Sprintf("/usr/lib/vendor/agent-%d", p%500), UID: 1000,
				Workload: "system.slice/vendor-agent.service"}},
				process.ID{PID: int32(1 + p + beat%2*pairs), StartTicks: 5}, &send.Send{
					Socket: send.Socket{Protocol: send.TCP, NetNS: 4026531840, Local: netip.MustParseAddrPort("10.0.0.5:40000"),
						Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(p / 250), byte(p % 250)}), 443)},
					Kind: send.Data, Bytes: 151, Sends: 1,
					At: boottime.Time(time.Hour + time.Duration(beat)*time.Minute + time.Duration(r.Int64N(int64(5*time.Second))))})
		}
	}
	ranker.Refresh()
	live, err := sensor.New(sensor.Config{Ladders: []sensor.Ladder{{Protocol: "tcp"}},
		Owner:  func(*send.Send) (process.ID, process.Program, bool) { return process.ID{}, process.Program{}, false },
		Record: func(process.Program, process.ID, *send.Send) {}, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return table.Deps{Store: store, Ranker: ranker, Sensor: live, Clock: boottime.System(), Role: "web server",
		Host: func() table.Host { return table.Host{PID: 42, Version: "v0"} },
		Process: func(id process.ID) (process.Info, bool) {
			return process.Info{ID: id, Name: "agent", Cmdline: "/usr/lib/vendor/agent --config /etc/vendor/agent.yaml --foreground",
				Parent: process.ID{PID: 1}, ParentPath: "/usr/lib/systemd/systemd", ParentCmdline: "/sbin/init", Username: "vendor",
				CgroupPath: "/system.slice/vendor-agent.service", SystemdUnit: "vendor-agent.service", StartTime: time.Unix(1_700_000_000, 0)}, true
		}}
}

// serving is how the tables are served to the host.
type serving func(t testing.TB, socket string, tables []table.Table)

// ours is how the extension serves them.
func ours(t testing.TB, socket string, tables []table.Table) {
	client, err := osquery.NewClient(socket, 10*time.Second)
	require.NoError(t, err)
	var plugins []osquery.OsqueryPlugin
	for _, p := range tables {
		plugins = append(plugins, p)
	}
	server, err := wire.Register(t.Context(), client, socket, &gen.InternalExtensionInfo{Name: "beaconwatch"}, nil, plugins...)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve() }()
	t.Cleanup(func() {
		require.NoError(t, server.Stop(context.Background()))
		<-ended
		client.Close()
	})
}

// theirs is how osquery-go's own server does, with the options given.
func theirs(options ...osquery.ServerOption) serving {
	return func(t testing.TB, socket string, tables []table.Table) {
		server, err := osquery.NewExtensionManagerServer("beaconwatch", socket, options...)
		require.NoError(t, err)
		for _, p := range tables {
			server.RegisterPlugin(p)
		}
		ended := make(chan error, 1)
		go func() { ended <- server.Start() }()
		t.Cleanup(func() {
			require.NoError(t, server.Shutdown(context.Background()))
			<-ended
		})
	}
}

// hosted registers the tables with a host over a socket and returns the host.
func hosted(t testing.TB, d table.Deps, serve serving) *sqlhost.Host {
	host, err := sqlhost.New(sqlhost.Config{Name: "osqueryd", Version: "5.23.0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	socket := filepath.Join(t.TempDir(), "em")
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- host.Serve(ctx, socket) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
		host.Close()
	})
	serve(t, socket, table.All(d))
	require.Eventually(t, func() bool {
		_, _, err := host.Query(context.Background(), "SELECT pid FROM beacon_sensor_status")
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return host
}

func buffered() osquery.ServerOption {
	return osquery.WithTransportFactory(thrift.NewTBufferedTransportFactory(16 * 1024))
}

func BenchmarkQuery(b *testing.B) {
	d := filled(b, pairs)
	for _, q := range []struct {
		name, sql string
		rows      int
	}{
		{"candidates/all-columns", "SELECT * FROM beacon_candidates", pairs},
		{"candidates/alert-columns", "SELECT signature, severity, expected, reason_codes, interval_class, size_class FROM beacon_candidates", pairs},
		{"stats/all-columns", "SELECT * FROM process_outbound_stats", flows},
	} {
		for _, way := range []struct {
			name  string
			serve serving
		}{{"ours", ours}, {"buffered", theirs(buffered())}, {"unbuffered", theirs()}} {
			b.Run(q.name+"/"+way.name, func(b *testing.B) {
				host := hosted(b, d, way.serve)
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					_, rows, err := host.Query(context.Background(), q.sql)
					if err != nil || len(rows) < q.rows {
						b.Fatalf("%d rows, error %v", len(rows), err)
					}
				}
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// maxAllocations is the most that a value of SELECT * may cost in allocations, both ends and SQLite together. It is 1.3, for the
// most part the SQLite driver's; with a string for each value and a map for each row it was 2.2, with one for each name as well 4.3.
const maxAllocations = 1.5

// TestWhatAQueryCosts holds the transport, the decoding, and the columns a statement names to what they are there for.
func TestWhatAQueryCosts(t *testing.T) {
	d := filled(t, pairs)
	const all = "SELECT * FROM beacon_candidates"
	const few = "SELECT signature, severity, expected, reason_codes, interval_class, size_class FROM beacon_candidates"
	const stats = "SELECT * FROM process_outbound_stats"
	fast, plain, slow := hosted(t, d, ours), hosted(t, d, theirs(buffered())), hosted(t, d, theirs())
	best := func(times int, h *sqlhost.Host, sql string, want int) time.Duration {
		best := time.Hour
		for range times {
			begun := time.Now()
			_, rows, err := h.Query(context.Background(), sql)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(rows), want)
			best = min(best, time.Since(begun))
		}
		return best
	}
	wide, narrow, maps, unbuffered := best(5, fast, all, pairs), best(5, fast, few, pairs), best(5, plain, all, pairs), best(1, slow, all, pairs)
	t.Logf("5 000 candidates: all columns %v, the columns of an alert %v; all columns by osquery-go's server %v, without a buffer %v", wide, narrow, maps, unbuffered)
	require.Less(t, 15*wide, unbuffered)
	require.Less(t, 2*narrow, wide)
	require.Less(t, 10*wide, 9*maps)
	flowsWide, flowsUnbuffered := best(5, fast, stats, flows), best(1, slow, stats, flows)
	t.Logf("10 000 rows of process_outbound_stats: %v, without a buffer %v", flowsWide, flowsUnbuffered)
	require.Less(t, 15*flowsWide, flowsUnbuffered)
	for _, sql := range []string{all, stats} {
		values := 0
		allocations := testing.AllocsPerRun(3, func() {
			columns, rows, err := fast.Query(context.Background(), sql)
			require.NoError(t, err)
			values = len(columns) * len(rows)
		})
		t.Logf("%s: %d values, %.2f allocations each", sql, values, allocations/float64(values))
		require.Less(t, allocations, maxAllocations*float64(values))
	}
}
