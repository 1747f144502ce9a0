package table

import (
	"context"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/history"
)

func processOutboundStats(d Deps) *table.Plugin {
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
	generate := func(ctx context.Context, q table.QueryContext) ([]map[string]string, error) {
		filters, ok := matching(q)
		if !ok {
			return nil, nil
		}
		d := d.forAnswer()
		var rows []map[string]string
		reads := projectionOf(ctx, len(columns))
		for _, f := range filters {
			d.Store.Flows(f, func(fl *history.Flow) {
				r := reads.row()
				flowRow(r, d, fl)
				rows = append(rows, reads.keep(r))
			})
		}
		return rows, nil
	}
	return table.NewPlugin("process_outbound_stats", columns, generate,
		table.WithDescription("What each process has sent to each destination, loopback and multicast included. Exited processes stay for a bounded time."),
		table.WithExample("SELECT pid, path, remote_address, remote_port, send_count, bytes_sent, interval_median_ms, size_median FROM process_outbound_stats ORDER BY bytes_sent DESC;"))
}

func flowRow(r row, d Deps, f *history.Flow) {
	info := processRow(r, d, f.Process, f.Key.Program, f.Socket.NetNS)
	endpointRow(r, d, f.Destination, f.Socket, d.Class(f.Destination))
	t := &f.Totals
	r["host"] = clean(f.Key.Host)
	r["connections"], r["failed_connections"] = number(t.Connections), number(t.Failed)
	r["send_count"], r["bytes_sent"], r["bytes_received"] = number(t.Sends), number(t.Bytes), number(t.Received)
	r["first_seen"], r["last_seen"] = seconds(d.Clock, t.First), seconds(d.Clock, t.Last)
	r["interval_median_ms"], r["interval_mad_ms"] = positive(uint64(f.IntervalMedian.Milliseconds())), ""
	if f.IntervalMedian > 0 {
		r["interval_mad_ms"] = millis(f.IntervalMAD)
	}
	r["size_median"], r["size_mad"] = number(f.SizeMedian), number(f.SizeMAD)
	r["exited"], r["quality"] = flag(info.Exited), t.Quality.String()
}
