package table

import (
	"slices"
	"strings"
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/candidate"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

func beaconCandidates(d Deps) Table {
	columns := join([]table.ColumnDefinition{
		table.IntegerColumn("rank", table.ColumnDescription("Place by evidence among all candidates, 1 for the most; changes as others do. rank <= 100 is cheaper than LIMIT 100"), table.AdditionalColumn()),
		text("scope", "destination: a program and one destination; process: a program over all its destinations, listed only where its evidence exceeds that of its best single one by 5 nats and by a fifth"),
		text("host", "Originating host, in replayed traffic only"),
	}, processColumns(), endpointColumns(), []table.ColumnDefinition{
		text("parent_path", "Executable of the parent process"),
		text("parent_cmdline", "Command line of the parent process"),
		text("grandparent_path", "Executable of the parent's parent"),
		text("grandparent_cmdline", "Command line of the parent's parent"),
		text("package_name", "Package that the executable belongs to; empty if none does, or if that is not known"),
		text("package_version", "Version of that package"),
		text("sha256", "SHA-256 of the executable; empty if it was too large or could not be read"),
		integer("process_count", "Processes of this program seen on this pair: a one-shot sender has a new one for each beat"),
		integer("destinations", "Destinations the series covers"),
		bigint("first_seen", "First send, in seconds since the Unix epoch"),
		bigint("last_seen", "Latest send, in seconds since the Unix epoch"),
		bigint("beats", "Check-ins: sends merged across silences much shorter than the interval"),
		bigint("bytes_sent", "Payload bytes sent to this destination since first_seen, retransmissions excluded"),
		bigint("interval_ms", "Middle of the band of intervals, in milliseconds"),
		double("jitter", "Relative half-width of the band of intervals, 0 to 0.7"),
		bigint("size_bytes", "Most frequent payload of a beat, in bytes; NULL if none stands out, or if the source counts no bytes"),
		double("size_spread", "Relative half-width of the band of payload sizes; NULL as size_bytes"),
		double("timing_share", "Share of the intervals inside the band, 0 to 1"),
		double("timing_chance", "Share that would lie in the band by chance, 0 to 1"),
		double("timing_evidence", "Log-likelihood of the rhythm against chance, in nats, the search paid for"),
		double("size_share", "Share of the payloads inside the band of sizes, 0 to 1; NULL as size_bytes"),
		double("size_evidence", "Log-likelihood of the uniform sizes against chance, in nats"),
		double("evidence", "All evidence, in nats, without an upper end: rank by this"),
		double("score", "Calibrated probability that this is a beacon at even odds, 0 to 1"),
		double("confidence", "How much data stands behind the score, 0 to 1"),
		integer("insufficient", "1 if there are too few beats for this jitter to conclude anything"),
		double("failed_share", "Share of attempts that never connected, 0 to 1"),
		integer("network_facing", "1 if this program's purpose includes talking, 0 if known not to, -1 if nobody has said"),
		integer("expected", "1 if a rule covers this program, destination and period; 0 if none does; -1 if the process could not be found"),
		text("severity", "Grade: info (expected, or no beacon), low (timing alone), medium, high. Observation never lowers it"),
		text("suspicions", "What speaks against the program, heaviest first, with weights: no_package=2,new_program=1"),
		text("rule", "Rule that decided expected; empty if none did"),
		text("rule_source", "Who says so: operator, role or catalogue"),
		text("role", "Role of this host, from the configuration"),
		bigint("resolution_ms", "Median timing uncertainty of the beats, in milliseconds"),
		bigint("max_gap_ms", "Longest time the sensor did not look at TCP sockets, in milliseconds"),
		text("quality", "Worst quality of a report: exact, jiffy, aggregated or inferred"),
		text("sparkline", "The latest gaps against the interval: a steady beacon is a line at half height"),
		text("reason", "Why, in one sentence; changes as evidence grows"),
		text("alert_id", "SHA-256 of the signature in hexadecimal: with the host, the name of the case that this candidate is in other systems"),
		text("signature", "Program and destination in words, without uid, id or time: the key for exceptions and differential queries"),
		text("reason_codes", "Sorted reason codes, comma-separated, from a documented vocabulary"),
		text("coverage_run", "Id of the coverage test whose process sent last; empty for all others. It lowers neither score nor severity"),
		text("interval_class", "Interval in logarithmic steps that stay the same while the beacon does"),
		text("size_class", "Payload size in logarithmic steps that stay the same while the beacon does"),
	})
	fill := func(q table.QueryContext, r row) {
		d := d.forAnswer()
		snapshot := d.Ranker.Snapshot()
		var maxGap time.Duration
		if d.Sensor != nil {
			maxGap = d.Sensor.Status().MaxGap
		}
		last := atMost(q, "rank")
		for _, f := range matching(q) {
			found := snapshot.Select(f)
			if f == (history.Filter{}) && last < len(found) {
				found = found[:last]
			}
			for i, c := range found {
				r.Next()
				candidateRow(r, d, c)
				if d.Sensor != nil {
					r.Int("max_gap_ms", millis(maxGap))
				}
				if f != (history.Filter{}) {
					i = snapshot.Rank(c) - 1
				}
				r.Int("rank", int64(i+1))
			}
		}
	}
	return newTable("beacon_candidates", columns, fill,
		table.WithDescription("Programs whose outbound sends look like a beacon (ATT&CK AN0597), ranked by evidence: regular timing and uniform payload sizes, each with what chance would give. Uniform timing alone is not conclusive."),
		table.WithExample("SELECT path, remote_address, remote_port, interval_ms, jitter, size_bytes, score, reason FROM beacon_candidates WHERE score >= 0.5 AND insufficient = 0 ORDER BY evidence DESC;"))
}

func candidateRow(r row, d Deps, c *candidate.Candidate) {
	res := &c.Result
	info := processRow(r, d, c.Process, c.Key.Program, c.Socket.NetNS)
	endpointRow(r, d, c.Destination, c.Socket, c.Class)
	r.Set("scope", c.Scope.String())
	r.Set("host", clean(c.Key.Host))
	r.Set("parent_path", clean(info.ParentPath))
	r.Set("parent_cmdline", clean(info.ParentCmdline))
	r.Set("grandparent_path", clean(info.GrandparentPath))
	r.Set("grandparent_cmdline", clean(info.GrandparentCmdline))
	facts, _ := d.Facts(c.Process)
	r.Set("package_name", clean(facts.Package))
	r.Set("package_version", clean(facts.PackageVersion))
	r.Set("sha256", facts.SHA256)
	r.Int("process_count", int64(c.Processes))
	r.Int("destinations", int64(c.Destinations))
	seconds(r, "first_seen", d.Clock, c.Totals.First)
	seconds(r, "last_seen", d.Clock, c.Totals.Last)
	r.Int("beats", int64(res.Beats))
	r.Int("bytes_sent", int64(c.Totals.Bytes))
	r.Int("interval_ms", millis(res.Interval))
	r.Float("jitter", res.Jitter, 3)
	if res.Size > 0 {
		r.Float("size_bytes", res.Size, 0)
		r.Float("size_spread", res.SizeSpread, 3)
		r.Float("size_share", res.SizeShare, 3)
	}
	r.Float("timing_share", res.TimingShare, 3)
	r.Float("timing_chance", res.TimingChance, 3)
	r.Float("timing_evidence", res.TimingEvidence, 3)
	r.Float("size_evidence", res.SizeEvidence, 3)
	r.Float("evidence", res.Evidence, 3)
	r.Float("score", res.Score, 3)
	r.Float("confidence", res.Confidence, 3)
	r.Set("insufficient", flag(res.Insufficient))
	r.Float("failed_share", res.FailedShare, 3)
	verdict := &c.Verdict
	verdictRow(r, verdict)
	r.Set("severity", verdict.Severity.String())
	r.Set("suspicions", verdict.SuspicionList())
	r.Set("role", d.Role)
	r.Int("resolution_ms", millis(c.Resolution))
	r.Set("quality", c.Totals.Quality.String())
	r.Set("sparkline", c.Sparkline)
	if r.Holds("reason") {
		reason := res.Reason()
		if c.Key.Program.Attributed() {
			reason += "; " + clean(verdict.Reason)
		}
		r.Set("reason", reason)
	}
	r.Set("signature", clean(c.Signature))
	r.Set("alert_id", c.AlertID)
	if r.Holds("reason_codes") {
		r.Set("reason_codes", reasonCodes(res.ReasonCodes(), verdict.Codes))
	}
	r.Set("coverage_run", d.CoverageRun(c.Process))
	r.Set("interval_class", c.IntervalClass)
	r.Set("size_class", c.SizeClass)
}

// verdictRow fills the columns that the tables of candidates and of programs have in common.
func verdictRow(r row, v *inventory.Verdict) {
	r.Int("network_facing", int64(v.NetworkFacing))
	r.Int("expected", int64(v.Expected))
	r.Set("rule", clean(v.Rule))
	r.Set("rule_source", v.Source.String())
}

// reasonCodes are those of timing and sizes and those of the inventory, sorted.
func reasonCodes(codes []string, more []inventory.Code) string {
	for _, c := range more {
		codes = append(codes, string(c))
	}
	slices.Sort(codes)
	return strings.Join(codes, ",")
}
