package table

import (
	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

func processOutboundStats(d Deps) Table {
	columns := join(processColumns(), endpointColumns(), []table.ColumnDefinition{
		text("host", "Originating host, in replayed traffic only"),
		bigint("connections", "Connections opened"),
		bigint("failed_connections", "Connection attempts that never succeeded"),
		bigint("send_count", "Sends seen; a lower bound where quality is aggregated"),
		bigint("bytes_sent", "Payload bytes sent, retransmissions excluded"),
		bigint("bytes_received", "Payload bytes received"),
		bigint("first_seen", "First report, in seconds since the Unix epoch"),
		bigint("last_seen", "Latest report, in seconds since the Unix epoch"),
		bigint("interval_median_ms", "Median gap between the starts of micro-bursts, over the newest 32, in milliseconds"),
		bigint("interval_mad_ms", "Median absolute deviation of those gaps, in milliseconds"),
		bigint("size_median", "Median payload of a micro-burst, over the newest 32, in bytes"),
		bigint("size_mad", "Median absolute deviation of those payloads, in bytes"),
		integer("exited", "1 if the process has ended"),
		text("quality", "Worst quality of a report: exact, jiffy, aggregated or inferred"),
	})
	fill := func(q table.QueryContext, r row) {
		d := d.forAnswer()
		for _, f := range matching(q) {
			d.Store.Flows(f, func(fl *history.Flow) {
				r.Next()
				flowRow(r, d, fl)
			})
		}
	}
	return newTable("process_outbound_stats", columns, fill,
		table.WithDescription("What each process has sent to each destination, loopback and multicast included. Exited processes stay for a bounded time."),
		table.WithExample("SELECT pid, path, remote_address, remote_port, send_count, bytes_sent, interval_median_ms, size_median FROM process_outbound_stats ORDER BY bytes_sent DESC;"))
}

func flowRow(r row, d Deps, f *history.Flow) {
	info := processRow(r, d, f.Process, f.Key.Program, f.Socket.NetNS)
	endpointRow(r, d, f.Destination, f.Socket, d.Class(f.Destination))
	t := &f.Totals
	r.Set("host", clean(f.Key.Host))
	r.Int("connections", int64(t.Connections))
	r.Int("failed_connections", int64(t.Failed))
	r.Int("send_count", int64(t.Sends))
	r.Int("bytes_sent", int64(t.Bytes))
	r.Int("bytes_received", int64(t.Received))
	seconds(r, "first_seen", d.Clock, t.First)
	seconds(r, "last_seen", d.Clock, t.Last)
	positive(r, "interval_median_ms", uint64(f.IntervalMedian.Milliseconds()))
	r.Set("interval_mad_ms", "")
	if f.IntervalMedian > 0 {
		r.Int("interval_mad_ms", millis(f.IntervalMAD))
	}
	r.Int("size_median", int64(f.SizeMedian))
	r.Int("size_mad", int64(f.SizeMAD))
	r.Set("exited", flag(info.Exited))
	r.Set("quality", t.Quality.String())
}
