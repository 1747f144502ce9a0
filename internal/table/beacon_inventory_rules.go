package table

import (
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

func beaconInventoryRules(d Deps) Table {
	columns := []table.ColumnDefinition{
		text("name", "Name of the rule, unique within its source"),
		text("source", "operator, role or catalogue, in order of authority"),
		text("file", "File the rule is in"),
		integer("line", "Line of its name"),
		text("verdict", "expected or unexpected"),
		text("program", "Which program it is about"),
		text("destinations", "Where to"),
		text("period", "How often"),
		text("comment", "Why it exists"),
		text("owner", "Whom to ask"),
		text("reference", "Documentation it rests on"),
		bigint("expires", "When it ceases to hold, in seconds since the Unix epoch; empty: never"),
		integer("expired", "1 if it no longer holds"),
		integer("used", "1 if it ever decided a verdict on this host"),
		bigint("last_used", "When it last decided a verdict, in seconds since the Unix epoch"),
	}
	fill := func(_ table.QueryContext, r row) {
		if d.Inventory == nil {
			return
		}
		now := time.Now()
		for _, rule := range d.Inventory.Set().Rules() {
			r.Next()
			ruleRow(r, rule, now)
		}
	}
	return newTable("beacon_inventory_rules", columns, fill,
		table.WithDescription("The rules that say which programs are expected to talk, where each stands, and when it was last of use."),
		table.WithExample("SELECT name, file, line, owner, expired, used FROM beacon_inventory_rules WHERE source = 'operator' AND (expired = 1 OR used = 0);"))
}

func ruleRow(r row, rule *inventory.Rule, now time.Time) {
	verdict := "expected"
	if rule.Unexpected {
		verdict = "unexpected"
	}
	used := rule.LastUsed()
	r.Set("name", rule.Name)
	r.Set("source", rule.Source.String())
	r.Set("file", clean(rule.File))
	r.Int("line", int64(rule.Line))
	r.Set("verdict", verdict)
	r.Set("program", clean(rule.Program()))
	r.Set("destinations", clean(rule.Destinations()))
	r.Set("period", rule.Period())
	r.Set("comment", clean(rule.Comment))
	r.Set("owner", clean(rule.Owner))
	r.Set("reference", clean(rule.Reference()))
	epochSeconds(r, "expires", rule.Expires)
	r.Set("expired", flag(rule.Expired(now)))
	r.Set("used", flag(!used.IsZero()))
	epochSeconds(r, "last_used", used)
}
