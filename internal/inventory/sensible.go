package inventory

import (
	"fmt"
	"strings"
)

// sensible refuses a rule that would expect more than its author can have meant.
func (d *document) sensible(r *Rule) {
	naming := []dimension{byPath, bySHA256, byScript, byUnit, byCgroup, byImage, byContainer, byPackage}
	if all(naming, func(dim dimension) bool { return len(r.program[dim]) == 0 }) {
		d.add(r.Line, r.Column, "the rule names no program: give a path, script, systemd_unit, cgroup, container_image, container_name, package or sha256")
		return
	}
	if r.Unexpected {
		return
	}
	if tool := r.reachesTool(); tool != "" && !r.trusts() {
		d.add(r.Line, r.Column, "%s", tooBroad(tool, r))
	}
}

// reachesTool returns a general-purpose tool the rule is about, "" if it is about none by its path.
func (r *Rule) reachesTool() string {
	for i := range r.program[byPath] {
		if tool := reachesTool(&r.program[byPath][i]); tool != "" {
			return tool
		}
	}
	return ""
}

func tooBroad(tool string, r *Rule) string {
	what := tool
	if len(r.program[byPath]) == 1 && r.program[byPath][0].text != tool {
		what = fmt.Sprintf("%s, which %s matches,", tool, r.program[byPath][0].text)
	}
	mend := "give each destination a cidr, a domain or a class other than public"
	if strings.Contains(r.Destinations(), "port") {
		mend += " (a port alone is no destination: implants use 443, too)"
	}
	if len(r.program[byScript]) == 0 {
		mend += ", or name the script by its absolute path"
	}
	return fmt.Sprintf("%s does whatever it is told, so expecting it to talk expects every implant that uses it: %s", what, mend)
}

// trusts reports whether the rule may speak for a program that is a general-purpose tool.
func (r *Rule) trusts() bool { return r.specificDestinations() || r.namesScript() }
