package packs

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/pack"
	"github.com/beaconwatch/beaconwatch/internal/table"
)

// reference writes the table reference from what the tables say of themselves.
func reference() []byte {
	var b bytes.Buffer
	b.WriteString(`# Tables

Generated from the tables by ` + "`make packs`" + `; a test holds it against them. In SQL: ` + "`.schema TABLE`" + ` at the prompt.

*Look-up* columns are pushed down: ` + "`WHERE pid = …`" + ` costs its answer, and a JOIN on one stays cheap. Flags are 1, 0 and, where
nobody can say, −1. An unknown number is NULL, an unknown text is empty. ` + "`beaconwatch.ext query --json` and `export`" + ` write numbers as
numbers and NULL as null; osquery itself writes all values as strings.
`)
	for _, t := range table.All(table.Deps{}) {
		spec := t.Spec()
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", spec.Name, cell(spec.Description))
		for _, e := range spec.Examples {
			fmt.Fprintf(&b, "```sql\n%s\n```\n\n", e)
		}
		b.WriteString("| column | type | unit | meaning |\n|---|---|---|---|\n")
		for _, c := range spec.Columns {
			kind := string(c.Type)
			if c.Index {
				kind += ", look-up"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Name, kind, unit(c.Name, kind, c.Description), cell(c.Description))
		}
	}
	return b.Bytes()
}

// cell makes text fit into a cell of a Markdown table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s) }

// units are told by the description or the name of a numeric column, the first that fits.
var units = []struct {
	in   string // name or description
	mark *regexp.Regexp
	unit string
}{
	{"description", regexp.MustCompile(`in milliseconds|^Milliseconds`), "ms"},
	{"description", regexp.MustCompile(`seconds since the Unix epoch`), "s since 1970"},
	{"name", regexp.MustCompile(`_ms$`), "ms"},
	{"description", regexp.MustCompile(`in nats`), "nats"},
	{"description", regexp.MustCompile(`0 to 1\b|0 to 0\.7|[Rr]elative half-width`), "share"},
	{"name", regexp.MustCompile(`bytes|_size$|_size_bytes|^size_m`), "bytes"},
	{"description", regexp.MustCompile(`in bytes`), "bytes"},
	{"description", regexp.MustCompile(`^1 if`), "flag"},
}

func unit(name, kind, description string) string {
	if strings.HasPrefix(kind, "TEXT") {
		return ""
	}
	for _, u := range units {
		text := description
		if u.in == "name" {
			text = name
		}
		if u.mark.MatchString(text) {
			return u.unit
		}
	}
	return ""
}

// catalogue writes what each query is for, from its header.
func catalogue(queries []pack.Query) []byte {
	var b bytes.Buffer
	b.WriteString("# Queries\n\nGenerated from `queries/*.sql` by `make packs`. A differential query logs rows as they come and go, a snapshot all of them.\n")
	title := ""
	for _, q := range queries {
		if q.Pack != title {
			title = q.Pack
			fmt.Fprintf(&b, "\n## %s\n", title)
		}
		when := "run by Fleet as a policy"
		switch {
		case q.Snapshot:
			when = fmt.Sprintf("snapshot every %d s", q.Interval)
		case q.Interval > 0:
			when = fmt.Sprintf("differential every %d s", q.Interval)
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n*%s* %s; %s.\n\nFalse positives: %s.\n\n", q.Name, cell(q.Purpose), cell(q.Value), when,
			strings.Join(links(q.Attack), ", "), cell(strings.Join(q.FalsePositives, "; ")))
		fmt.Fprintf(&b, "```sql\n%s;\n```\n", q.SQL)
	}
	return b.Bytes()
}

// links makes ids of ATT&CK techniques into links.
func links(ids []string) []string {
	var all []string
	for _, id := range ids {
		if id[0] == 'T' {
			id = fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", id, strings.ReplaceAll(id, ".", "/"))
		}
		all = append(all, id)
	}
	return all
}
