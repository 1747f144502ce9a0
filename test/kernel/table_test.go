package kernel

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/beaconwatch/beaconwatch/test/kernel/figures"
)

// figuresOf is the table of every trial on every kernel.
func figuresOf(reports []figures.Report) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "kernel\tlevel\ttrial\tprocesses\tconnections reported\tattributed\tbytes sent\treported\tattributed")
	for _, r := range reports {
		for _, t := range r.Trials {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", r.Release, r.Full.Level(), t.Name, t.Processes,
				t.Reported.Connections, t.Owned.Connections, t.Sent.Bytes, t.Reported.Bytes, t.Owned.Bytes)
		}
	}
	w.Flush()
	return b.String()
}

// standingOf shows how well the sensor saw during one boot, in its own words.
func standingOf(r figures.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel %s: up after %s, the rest took %s on an emulated processor\n",
		r.Release, r.Booted.Round(100*time.Millisecond), r.Took.Round(time.Second))
	describe(&b, "without the sock_diag modules", r.Bare)
	describe(&b, "with them", r.Full)
	return b.String()
}

// told are the columns of beacon_sensor_status worth showing.
var told = []string{"level", "level_reason", "tcp_source", "udp_source", "samples", "sample_period_ms", "max_gap_ms",
	"lost_events", "send_events", "unattributed_sends", "user_time", "system_time", "resident_size"}

func describe(b *strings.Builder, title string, s figures.Standing) {
	fmt.Fprintf(b, "%s:\n ", title)
	for _, column := range told {
		if value := s.Status[column]; value != "" {
			fmt.Fprintf(b, " %s=%s", column, value)
		}
	}
	b.WriteByte('\n')
	for _, source := range s.Sources {
		state := "in use"
		if source["active"] != "1" {
			state = "not in use"
		}
		if errno := source["refused_errno"]; errno != "" {
			state += ", errno " + errno
		}
		fmt.Fprintf(b, "  %s by %s: %s; %s events, %s B, %s lost\n", source["protocol"], source["source"], state,
			source["events"], source["bytes"], source["lost"])
	}
}
