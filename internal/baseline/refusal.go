package baseline

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

// refusal says why nobody should sign a rule for the program, and what to do instead.
func refusal(r Row) (why, instead string) {
	switch {
	case strings.HasPrefix(r["path"], "/memfd:"), strings.HasSuffix(r["path"], " (deleted)"):
		return "its executable is no file any more: the path does not say what runs",
			"start it from a file that stays, and ask again"
	case strings.ContainsAny(r["path"]+r["script"], "*?"):
		return "its path holds a * or ?, which a rule would take for any name", "give it a plain name, and ask again"
	case slices.Contains([]string{"-c", "-e", "-r"}, r["script"]):
		return "it is inline code of an interpreter: there is no script to name",
			"put the code into a script where only root may write, and ask again"
	case r["container_id"] != "" && r["container_image"] == "" && containerOf(r) == "":
		return "it runs in a container of which neither image nor name is known",
			"write a rule by hand that names its control group: the path means a file of the host"
	case r["script"] == "" && hasWord(r["reason_codes"], "general_purpose_tool") && (r["destination_class"] == "public" && r["remote_hostname"] == ""):
		return "it is a general-purpose tool and its destination is a bare public address: a rule would expect whoever uses it",
			"have a script of its own do it, with an absolute path where only root may write, or write a rule by hand that names the network or domain"
	}
	return "", ""
}

// try asks the inventory about the rule as if it were signed: what would be refused is not proposed, and what would not do says so.
func (p *Proposal) try() {
	var b strings.Builder
	b.WriteString("rules:\n")
	p.write(&b, "tried", "tried", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
	set, err := inventory.Parse(p.Name, []byte(b.String()), nil)
	if err != nil {
		p.Refused, p.Instead = "rules refuse it: "+err.Error(), "write a rule by hand that avoids this, or let it stay unexpected"
		if invalid := (inventory.Invalid{}); errors.As(err, &invalid) {
			p.Refused = "rules refuse it: " + invalid[0].Text
		}
		if hasWord(strings.Join(p.Risk, ","), "world_writable_path") {
			p.Instead = "move it to where only root may write, such as /opt or /usr/local/lib, start it from there, and ask again"
		}
		return
	}
	first := p.Rows[0]
	if v := set.Judge(subject(first, time.Now())); v.Expected != 1 && first["expected"] != "1" {
		p.Risk = append(p.Risk, "as it stands the rule would not make it expected: "+v.Reason)
	}
}
