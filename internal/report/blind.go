package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// technique is a page of ATT&CK.
type technique struct{ ID, Name, Link string }

// techniques that the analytic speaks of, and those it also shows.
var techniques = []technique{
	{"T1030", "Data Transfer Size Limits", "https://attack.mitre.org/techniques/T1030/"},
	{"DET0213", "the detection strategy, with analytic AN0597 for Linux", "https://attack.mitre.org/detectionstrategies/DET0213/"},
	{"T1071", "Application Layer Protocol", "https://attack.mitre.org/techniques/T1071/"},
	{"T1029", "Scheduled Transfer", "https://attack.mitre.org/techniques/T1029/"},
	{"T1571", "Non-Standard Port", "https://attack.mitre.org/techniques/T1571/"},
	{"T1573", "Encrypted Channel", "https://attack.mitre.org/techniques/T1573/"},
}

// blindSpots says what the sensor behind these rows could not see: at its levels of TCP and UDP in its own words.
func blindSpots(d Data) (blind []string) {
	status := d.Status
	if len(status) == 0 {
		blind = append(blind, "Payloads are counted, not read: sizes of encrypted traffic are sizes of ciphertext.")
		if !slices.ContainsFunc(d.Candidates, func(c Candidate) bool { return c.Row["path"] != "" }) {
			blind = append(blind, "Recorded traffic knows hosts, not processes: whether the sender was expected to talk cannot be judged.")
		}
		return blind
	}
	for sentence := range strings.SplitAfterSeq(status["blind"], ". ") {
		if sentence != "" {
			blind = append(blind, strings.TrimSpace(sentence))
		}
	}
	if n := figure.Number(status["unattributed_sends"]); n > 0 {
		blind = append(blind, fmt.Sprintf("%.0f sends could not be tied to a process.", n))
	}
	if n := figure.Number(status["lost_events"]); n > 0 {
		blind = append(blind, fmt.Sprintf("%.0f events are known to be lost.", n))
	}
	if n := figure.Number(status["evictions"]); n > 0 {
		blind = append(blind, fmt.Sprintf("%.0f pairs with the least evidence were forgotten to stay within bounds.", n))
	}
	if ms := figure.Number(status["max_gap_ms"]); ms >= 2000 {
		blind = append(blind, fmt.Sprintf("The longest time without a look at TCP sockets was %s.", figure.Duration(time.Duration(ms)*time.Millisecond)))
	}
	for _, s := range d.Sources {
		if s["active"] == "0" && s["reason"] != "" && s["refused_errno"] != "" {
			blind = append(blind, fmt.Sprintf("%s was refused for %s: %s.", s["source"], s["protocol"], strings.TrimSuffix(s["reason"], ".")))
		}
	}
	return blind
}

// caveats says what is weak about one candidate.
func caveats(r Row) []string {
	var all []string
	add := func(applies bool, text string) {
		if applies {
			all = append(all, text)
		}
	}
	add(r["insufficient"] == "1", "There are too few check-ins for this jitter to conclude anything yet.")
	add(r["path"] == "" && r["host"] == "", "The process could not be found: the socket was gone before its owner was looked for.")
	sized := figure.Number(r["size_bytes"]) > 0
	add(r["quality"] == "inferred" && !sized, "Opens and closes were seen, not sends: sizes are unknown.")
	add(r["quality"] == "inferred" && sized, "Some check-ins were told by opens and closes alone: the sizes are those of the others.")
	add(r["quality"] == "aggregated", "Several sends may stand in one report: sizes are upper bounds.")
	interval, resolution := figure.Number(r["interval_ms"]), figure.Number(r["resolution_ms"])
	add(interval > 0 && resolution*10 > interval, "The clock of the source is coarse beside the interval: part of the regularity may be its own.")
	add(figure.Number(r["failed_share"]) > 0.5, "Most attempts never connected: a dead server is retried, and the retries have a rhythm of their own.")
	add(r["remote_port"] == "443" || r["remote_port"] == "8443" || r["remote_port"] == "853", "The port is one of encrypted traffic: sizes are sizes of ciphertext.")
	add(r["scope"] == "process", "This is one program over many destinations; each alone shows less.")
	return all
}
