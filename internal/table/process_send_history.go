package table

import (
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
)

func processSendHistory(d Deps) Table {
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
	fill := func(q table.QueryContext, r row) {
		d := d.forAnswer()
		var view history.View
		for _, f := range matching(q) {
			d.Store.Pairs(f, &view, func(v *history.View) { burstRows(r, d, v) })
		}
	}
	return newTable("process_send_history", columns, fill,
		table.WithDescription("The micro-bursts of each pair of program and destination, newest at most 512. The process columns are those of the process that sent last; a program of short-lived processes has one history."),
		table.WithExample("SELECT datetime(time, 'unixepoch') AS at, bytes, interval_ms FROM process_send_history WHERE path = '/usr/bin/curl' ORDER BY time_ms;"))
}

// burstRows adds a row for each micro-burst of a pair. They have the pair's columns in common.
func burstRows(r row, d Deps, v *history.View) {
	offset := d.Clock.Offset()
	for i, b := range v.Bursts {
		if i == 0 {
			r.Next()
			processRow(r, d, v.Latest, v.Key.Program, v.Socket.NetNS)
			endpointRow(r, d, v.Destination, v.Socket, d.Class(v.Destination))
			r.Set("host", clean(v.Key.Host))
			r.Set("signature", clean(candidate.Signature(v.Key, candidate.ByDestination, v.Destination)))
		} else {
			r.Again()
			r.Int("interval_ms", millis(b.At.Sub(v.Bursts[i-1].At)))
		}
		at := time.Unix(0, int64(b.At.Add(offset)))
		r.Int("time", at.Unix())
		r.Int("time_ms", at.UnixMilli())
		r.Int("bytes", int64(b.Bytes))
		r.Int("sends", int64(b.Sends))
		r.Int("resolution_ms", millis(b.Within))
		r.Set("failed", flag(b.Failed))
		r.Set("quality", b.Quality.String())
	}
}
