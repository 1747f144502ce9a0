package table

import (
	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/candidate"
)

func processNetworkBaseline(d Deps) Table {
	columns := join(processColumns(), []table.ColumnDefinition{
		text("host", "Originating host, in replayed traffic only"),
		integer("network_facing", "1 if this program's purpose includes talking, 0 if known not to, -1 if nobody has said"),
		integer("expected", "1 if rules cover every destination and rhythm of the program; 0 if one is not covered; -1 if the process could not be found"),
		text("rule", "Rules that decided; empty where something is not covered"),
		text("rule_source", "Who says so: operator, role or catalogue"),
		text("severity", "Highest grade among what is not covered"),
		text("reason", "Why, in one sentence, about what is covered least"),
		text("reason_codes", "Sorted reason codes of that, comma-separated, from a documented vocabulary"),
		bigint("first_seen", "First send, in seconds since the Unix epoch"),
		bigint("last_seen", "Latest send, in seconds since the Unix epoch"),
		bigint("destinations", "Outbound destinations held of the program"),
		bigint("bytes_sent", "Payload bytes sent, retransmissions excluded"),
		integer("periodic", "1 if it has a rhythm above the threshold, towards a destination or over all of them"),
	})
	fill := func(q table.QueryContext, r row) {
		d := d.forAnswer()
		for _, f := range matching(q) {
			for _, b := range d.Ranker.Baseline(f) {
				r.Next()
				baselineRow(r, d, &b)
			}
		}
	}
	return newTable("process_network_baseline", columns, fill,
		table.WithDescription("Every program seen talking to the outside, with the verdict on all it does and the rule that gave it."),
		table.WithExample("SELECT path, script, network_facing, expected, rule, reason, destinations, periodic FROM process_network_baseline WHERE expected <> 1;"))
}

func baselineRow(r row, d Deps, b *candidate.Baseline) {
	processRow(r, d, b.Process, b.Key.Program, 0)
	verdictRow(r, &b.Verdict)
	r.Set("host", clean(b.Key.Host))
	r.Set("severity", b.Verdict.Severity.String())
	r.Set("reason", clean(b.Verdict.Reason))
	r.Set("reason_codes", reasonCodes(nil, b.Verdict.Codes))
	seconds(r, "first_seen", d.Clock, b.Totals.First)
	seconds(r, "last_seen", d.Clock, b.Totals.Last)
	r.Int("destinations", int64(b.Destinations))
	r.Int("bytes_sent", int64(b.Totals.Bytes))
	r.Set("periodic", flag(b.Periodic))
}
