package baseline

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// Proposal is a rule for a person to review, complete and sign off: it has no owner and so is refused as it stands.
type Proposal struct {
	Name string
	// Program are the criteria, by key of the rule format, in the order in which they are written.
	Program []Criterion
	// Destinations are items as they stand in a rule.
	Destinations []string
	Shortest     time.Duration
	Longest      time.Duration
	// Evidence says what the rule rests on, Risk what speaks against signing it.
	Evidence, Risk []string
	// Covered names the rule that makes all of it expected already; empty if none does.
	Covered string
	// Refused says why no rule can make it expected, Instead what to do about that; empty if one can.
	Refused, Instead string
	Rows             []Row
}

// Criterion is one key of a rule's program.
type Criterion struct{ Key, Value string }

// most destinations that are listed one by one.
const mostDestinations = 16

// Propose returns a proposal for each program of rows, the one with the most evidence first. Rows are candidates of scope
// destination; rows of several hosts are one proposal.
func Propose(rows []Row) []Proposal {
	groups := map[string][]Row{}
	var order []string
	for _, r := range rows {
		if r["scope"] == "process" || r["path"] == "" {
			continue
		}
		key := strings.Join([]string{r["path"], r["script"], unitOf(r), r["container_image"], containerOf(r), r["username"]}, "\x00")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
	}
	names := map[string]int{}
	var all []Proposal
	for _, key := range order {
		p := propose(groups[key])
		names[p.Name]++
		if n := names[p.Name]; n > 1 {
			p.Name += "-" + strconv.Itoa(n)
		}
		all = append(all, p)
	}
	return all
}

// unitOf is the unit with its instance left open.
func unitOf(r Row) string {
	name, rest, instance := strings.Cut(r["systemd_unit"], "@")
	if !instance {
		return r["systemd_unit"]
	}
	_, suffix, _ := strings.Cut(rest, ".")
	return name + "@*." + suffix
}

// containerOf names a container of a pod with the pod left open, for pods come and go. Others are named only where the image is
// not known: many have a name that was drawn for them when they were started.
func containerOf(r Row) string {
	parts := strings.Split(r["container_name"], "/")
	switch {
	case len(parts) == 3:
		return parts[0] + "/*/" + parts[2]
	case r["container_image"] == "":
		return r["container_name"]
	}
	return ""
}

func propose(rows []Row) Proposal {
	first := rows[0]
	p := Proposal{Name: ruleName(first), Rows: rows}
	add := func(key, value string) {
		if value != "" && value != "-c" && value != "-e" && value != "-r" {
			p.Program = append(p.Program, Criterion{key, value})
		}
	}
	add("path", first["path"])
	add("script", first["script"])
	add("systemd_unit", unitOf(first))
	add("container_image", first["container_image"])
	add("container_name", containerOf(first))
	add("user", first["username"])
	p.Covered = covering(rows)
	p.Risk = risks(rows)
	p.Refused, p.Instead = refusal(first)
	hosts := map[string]bool{}
	beats := 0.0
	for _, r := range rows {
		hosts[r["reporter"]] = true
		beats += figure.Number(r["beats"])
		if ms := figure.Number(r["interval_ms"]); ms > 0 && hasWord(r["reason_codes"], "regular_timing") {
			d := time.Duration(ms) * time.Millisecond
			jitter := figure.Number(r["jitter"])
			low, high := time.Duration(float64(d)*(1-jitter)), time.Duration(float64(d)*(1+jitter))
			if p.Shortest == 0 || low < p.Shortest {
				p.Shortest = low
			}
			p.Longest = max(p.Longest, high)
		}
		if d := destinationText(r); !slices.Contains(p.Destinations, d) {
			p.Destinations = append(p.Destinations, d)
		}
	}
	slices.Sort(p.Destinations)
	if len(p.Destinations) > mostDestinations {
		p.Risk = append(p.Risk, fmt.Sprintf("it talks to %d destinations; name their network or domain instead of each", len(p.Destinations)))
		p.Destinations = p.Destinations[:mostDestinations]
	}
	since, until := slices.MinFunc(rows, older), slices.MaxFunc(rows, later)
	p.Evidence = append(p.Evidence, fmt.Sprintf("%s with %s from %s to %s", figure.Count(int(beats), "check-in"), figure.Count(len(rows), "destination"), day(since["first_seen"]), day(until["last_seen"])))
	if delete(hosts, ""); len(hosts) > 0 {
		p.Evidence = append(p.Evidence, "seen on "+figure.Count(len(hosts), "host"))
	}
	p.Evidence = append(p.Evidence, first["reason"])
	if p.Refused == "" {
		p.try()
	}
	return p
}

func older(a, b Row) int {
	return cmp.Compare(figure.Number(a["first_seen"]), figure.Number(b["first_seen"]))
}

func later(a, b Row) int {
	return cmp.Compare(figure.Number(a["last_seen"]), figure.Number(b["last_seen"]))
}

func day(seconds string) string { return moment(seconds).UTC().Format(time.DateTime) }

// covering is the rule that makes all rows expected, "" if one is not.
func covering(rows []Row) string {
	var rules []string
	for _, r := range rows {
		if r["expected"] != "1" {
			return ""
		}
		if rule := r["rule_source"] + " " + r["rule"]; !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	return strings.Join(rules, ", ")
}

// risks are the suspicions of all rows.
func risks(rows []Row) []string {
	var all []string
	for _, r := range rows {
		for s := range strings.SplitSeq(r["suspicions"], ",") {
			if s != "" && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	slices.Sort(all)
	return all
}

// destinationText is an item of a rule's destinations: by name where this host has looked one up, else by address.
func destinationText(r Row) string {
	protocol := ""
	if t, ok := target(r); ok {
		protocol = t.Destination.Protocol.String()
	}
	where := "cidr: " + quote(r["remote_address"])
	if strings.Contains(r["remote_hostname"], ".") && r["remote_hostname_source"] != "recorded" { // one label is a nickname of this host's
		where = "domain: " + quote(r["remote_hostname"])
	}
	if r["remote_port"] == "" || r["remote_port"] == "0" {
		return "{" + where + ", protocol: " + protocol + "}"
	}
	return "{" + where + ", port: " + r["remote_port"] + ", protocol: " + protocol + "}"
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func ruleName(r Row) string {
	name := strings.TrimSuffix(path.Base(r["path"]), " (deleted)")
	if strings.HasPrefix(r["script"], "/") {
		name = path.Base(r["script"])
	}
	if name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-"); name == "" {
		name = "program"
	}
	return strings.Trim(name[:min(len(name), 40)], "-")
}

// quote writes a YAML string that is one whatever it holds.
func quote(s string) string { return strconv.QuoteToASCII(s) }

// Write writes proposals as a rule file for a person to complete. What is covered already is a comment.
func Write(w io.Writer, proposals []Proposal) error {
	var b strings.Builder
	b.WriteString("# Proposed by what was recorded, signed off by nobody. Keep what you can vouch for, say why, who owns it and until when, delete\n" +
		"# the rest; then beaconwatch.ext config check. A rule without an owner is refused.\nrules:\n")
	open := 0
	for _, p := range proposals {
		if p.Covered != "" {
			fmt.Fprintf(&b, "\n  # %s: expected already, by %s\n", comment(p.Program[0].Value), comment(p.Covered))
			continue
		}
		b.WriteString("\n")
		for _, e := range p.Evidence {
			fmt.Fprintf(&b, "  # evidence: %s\n", comment(e))
		}
		for _, r := range p.Risk {
			fmt.Fprintf(&b, "  # risk: %s\n", comment(r))
		}
		if p.Refused != "" {
			fmt.Fprintf(&b, "  # %s: no rule is proposed: %s\n", comment(p.Program[0].Value), comment(p.Refused))
			fmt.Fprintf(&b, "  # instead: %s\n", p.Instead)
			continue
		}
		open++
		p.write(&b, "", "", "")
	}
	if open == 0 {
		b.WriteString("  []\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write writes the rule with what only a person can say: why, whom to ask, and until when.
func (p *Proposal) write(b *strings.Builder, why, owner, expires string) {
	fmt.Fprintf(b, "  - name: %s\n    comment: %q    # why it talks\n    owner: %q      # whom to ask\n    expires: %q    # the last day it holds, such as 2027-06-30\n    verdict: expected\n    program:\n",
		p.Name, why, owner, expires)
	for _, c := range p.Program {
		fmt.Fprintf(b, "      %s: %s\n", c.Key, quote(c.Value))
	}
	b.WriteString("    destinations:\n")
	for _, d := range p.Destinations {
		fmt.Fprintf(b, "      - %s\n", d)
	}
	if p.Longest == 0 {
		b.WriteString("    period: any    # it has none\n")
		return
	}
	fmt.Fprintf(b, "    period: %s..%s\n", periodText(p.Shortest, false), periodText(p.Longest, true))
}

// periodText is a duration as rules write it, rounded outwards to a unit that leaves it readable.
func periodText(d time.Duration, up bool) string {
	unit := time.Millisecond
	for _, u := range []time.Duration{time.Second, time.Minute, time.Hour} {
		if d >= 20*u {
			unit = u
		}
	}
	n := d / unit
	if up && n*unit < d {
		n++
	}
	return strconv.FormatInt(int64(n), 10) + map[time.Duration]string{time.Millisecond: "ms", time.Second: "s", time.Minute: "m", time.Hour: "h"}[unit]
}

// comment keeps text within the line of a comment.
func comment(s string) string { return strings.Map(oneLine, s) }

func oneLine(r rune) rune {
	if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
		return ' '
	}
	return r
}
