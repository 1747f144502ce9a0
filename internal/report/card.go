package report

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// card is one candidate as the template reads it.
type card struct {
	Number      int
	Row         Row
	Severity    string
	Program     string
	Destination string
	Every, Size string
	First, Last string
	Facts       []fact
	Tree        []ancestor
	Codes       []code
	Blind       []string
	Steps       []step
	Timeline    template.HTML
	Intervals   template.HTML
	Sizes       template.HTML
	// what the pictures show, for people who do not see them
	TimelineText, IntervalsText, SizesText string
}

type fact struct{ Name, Value string }

type ancestor struct{ PID, Path, Cmdline string }

type code struct{ Code, Weight, Meaning string }

func newCard(number int, c *Candidate, codes map[string]string) (card, error) {
	r := c.Row
	v := card{Number: number, Row: r, Severity: r["severity"], Program: program(r), Destination: figure.Destination(r),
		Every: every(r), Size: size(r), First: wall(r["first_seen"]), Last: wall(r["last_seen"])}
	v.Facts = facts(r)
	v.Tree = tree(r)
	for _, list := range []string{r["suspicions"], r["reason_codes"]} {
		for entry := range strings.SplitSeq(list, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(entry), "=") // suspicions carry their weight
			if name != "" && !hasCode(v.Codes, name) {
				v.Codes = append(v.Codes, code{name, weight, codes[name]})
			}
		}
	}
	v.Blind = caveats(r)
	v.Steps = steps(r)
	var err error
	if v.Timeline, v.TimelineText, err = timeline(c.Bursts, r["beats"]); err != nil {
		return v, err
	}
	if v.Intervals, v.IntervalsText, err = intervals(c.Bursts, r); err != nil {
		return v, err
	}
	v.Sizes, v.SizesText, err = sizes(c.Bursts, r)
	return v, err
}

func hasCode(all []code, name string) bool {
	for _, c := range all {
		if c.Code == name {
			return true
		}
	}
	return false
}

func program(r Row) string {
	p := word(r["path"], "[unattributed]")
	if r["host"] != "" {
		p = r["host"]
	}
	return strings.TrimSpace(p + " " + r["script"])
}

// every is the interval with its jitter, "–" where there is no rhythm.
func every(r Row) string {
	ms := figure.Number(r["interval_ms"])
	if ms <= 0 {
		return "–"
	}
	return fmt.Sprintf("%s ± %.0f %%", figure.Duration(time.Duration(ms)*time.Millisecond), 100*figure.Number(r["jitter"]))
}

func size(r Row) string {
	b := figure.Number(r["size_bytes"])
	if b <= 0 {
		return "–"
	}
	return figure.Bytes(b)
}

func facts(r Row) []fact {
	var all []fact
	add := func(name, value string) {
		if value != "" && value != "–" {
			all = append(all, fact{name, value})
		}
	}
	share := func(column string) string {
		if r[column] == "" {
			return ""
		}
		return fmt.Sprintf("%.0f %%", 100*figure.Number(r[column]))
	}
	add("score", r["score"])
	add("evidence", r["evidence"])
	add("confidence", r["confidence"])
	add("check-ins", r["beats"])
	add("interval", every(r))
	add("gaps inside the band", share("timing_share"))
	add("expected by chance", share("timing_chance"))
	add("payload", size(r))
	add("payloads of that size", share("size_share"))
	add("sent in all", figure.Bytes(figure.Number(r["bytes_sent"])))
	add("attempts that failed", share("failed_share"))
	add("processes", r["process_count"])
	if r["path"] != "" && figure.Number(r["pid"]) > 0 {
		add("process", r["pid"]+map[bool]string{true: " (has ended)"}[ended(r)])
	}
	add("user", r["username"])
	add("unit", r["systemd_unit"])
	add("container", strings.Join(strings.Fields(r["container_runtime"]+" "+r["container_name"]+" "+r["container_id"]+" "+r["container_image"]), " "))
	add("package", strings.TrimSpace(r["package_name"]+" "+r["package_version"]))
	add("SHA-256", r["sha256"])
	add("address", strings.TrimSpace(r["remote_address"]+" "+r["destination_class"]))
	add("network-facing", said(r["network_facing"]))
	add("reported by", r["reporter"])
	add("expected", said(r["expected"]))
	add("rule", strings.TrimSpace(r["rule"]+" "+r["rule_source"]))
	add("signature", r["signature"])
	return all
}

// said turns a flag of three values into words.
func said(flag string) string {
	return map[string]string{"1": "yes", "0": "no", "-1": "nobody has said"}[flag]
}

// tree is the process and its ancestors, oldest first.
func tree(r Row) []ancestor {
	var all []ancestor
	for _, a := range []ancestor{{"", r["grandparent_path"], r["grandparent_cmdline"]}, {r["parent"], r["parent_path"], r["parent_cmdline"]},
		{r["pid"], r["path"], r["cmdline"]}} {
		if a.Path != "" || a.Cmdline != "" {
			all = append(all, a)
		}
	}
	return all
}

func wall(seconds string) string {
	v := figure.Number(seconds)
	if v == 0 {
		return "–"
	}
	return time.Unix(int64(v), 0).UTC().Format("2006-01-02 15:04:05")
}
