package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// SplitRoles splits the configured role into those it names: "web server, database server".
func SplitRoles(role string) []string {
	var roles []string
	for r := range strings.SplitSeq(role, ",") {
		if r = strings.TrimSpace(r); r != "" {
			roles = append(roles, r)
		}
	}
	return roles
}

// appliesTo reports whether the file is for one of the roles, or for all.
func (f *ruleFile) appliesTo(roles []string) bool {
	return fits(f.roles, func(r string) bool { return slices.ContainsFunc(roles, func(x string) bool { return sameRole(r, x) }) })
}

// plainRole makes role names alike however people write them: "web server", "Web-Server", "web_server".
func plainRole(r string) string {
	return strings.ToLower(strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(r)))
}

func sameRole(a, b string) bool { return plainRole(a) == plainRole(b) }

// unknownRoles has a finding for each role that no file is for: a typing error would silently leave its rules out.
func unknownRoles(roles []string, files []ruleFile) (findings []Finding) {
	var known []string
	for _, f := range files {
		known = append(known, f.roles...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, r := range roles {
		if slices.ContainsFunc(known, func(k string) bool { return sameRole(k, r) }) {
			continue
		}
		text := "no rule file is for it"
		if near := nearestRole(r, known); near != "" {
			text += fmt.Sprintf(" (did you mean %q?)", near)
		}
		findings = append(findings, Finding{File: fmt.Sprintf("role %q", r), Text: text + "; there are " + strings.Join(known, ", ")})
	}
	return findings
}

// nearestRole is the one that a third of its letters at most tell from r, or "".
func nearestRole(r string, known []string) (near string) {
	least := len(r)/3 + 1
	for _, k := range known {
		if d := distance(plainRole(r), plainRole(k)); d < least {
			near, least = k, d
		}
	}
	return near
}

// distance counts the letters to insert, remove or replace to make a of b (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
