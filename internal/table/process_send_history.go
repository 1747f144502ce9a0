package table

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
)

func processSendHistory(d Deps) *table.Plugin {
	columns := join(processColumns(), endpointColumns(), []table.ColumnDefinition{
		text("host", "Originating host, in replayed traffic only"),
		text("signature", "Program and destination in words, as in beacon_candidates of scope destination"),
		bigint("time", "Start of the micro-burst, in seconds since the Unix epoch"),
		bigint("time_ms", "Start of the micro-burst, in milliseconds since the Unix epoch"),
		bigint("bytes", "Payload bytes of the micro-burst"),
		bigint("sends", "Sends in the micro-burst; 1 where the source cannot tell"),
		bigint("interval_ms", "Milliseconds since the start of the micro-burst before it on this pair"),
		bigint("resolution_ms", "Timing uncertainty of the start, in milliseconds"),
		integer("failed", "1 if every attempt in it failed to connect"),
		text("quality", "Worst quality of a report in it: exact, jiffy, aggregated or inferred"),
	})
	generate := func(ctx context.Context, q table.QueryContext) ([]map[string]string, error) {
		filters, ok := matching(q)
		if !ok {
			return nil, nil
		}
		d := d.forAnswer()
		var (
			rows []map[string]string
			view history.View
		)
		reads := projectionOf(ctx, len(columns))
		for _, f := range filters {
			d.Store.Pairs(f, &view, func(v *history.View) { rows = appendBursts(rows, reads, d, v) })
		}
		return rows, nil
	}
	return table.NewPlugin("process_send_history", columns, generate,
		table.WithDescription("The micro-bursts of each pair of program and destination, newest at most 512. The process columns are those of the process that sent last; a program of short-lived processes has one history."),
		table.WithExample("SELECT datetime(time, 'unixepoch') AS at, bytes, interval_ms FROM process_send_history WHERE path = '/usr/bin/curl' ORDER BY time_ms;"))
}

func appendBursts(rows []map[string]string, reads *projection, d Deps, v *history.View) []map[string]string {
	all := make(row, 32)
	processRow(all, d, v.Latest, v.Key.Program, v.Socket.NetNS)
	endpointRow(all, d, v.Destination, v.Socket, d.Class(v.Destination))
	all["host"] = clean(v.Key.Host)
	all["signature"] = clean(candidate.Signature(v.Key, candidate.ByDestination, v.Destination))
	common := reads.keep(all)
	offset := d.Clock.Offset()
	for i, b := range v.Bursts {
		r := reads.row()
		maps.Copy(r, common)
		at := time.Unix(0, int64(b.At.Add(offset)))
		r["time"] = strconv.FormatInt(at.Unix(), 10)
		r["time_ms"] = strconv.FormatInt(at.UnixMilli(), 10)
		r["bytes"], r["sends"] = number(b.Bytes), number(b.Sends)
		if i > 0 {
			r["interval_ms"] = millis(b.At.Sub(v.Bursts[i-1].At))
		}
		r["resolution_ms"], r["failed"], r["quality"] = millis(b.Within), flag(b.Failed), b.Quality.String()
		rows = append(rows, reads.keep(r))
	}
	return rows
}
