package table

import (
	"context"
	"strconv"
	"time"

	"github.com/osquery/osquery-go/plugin/table"

	"github.com/beaconwatch/beaconwatch/internal/inventory"
)

func beaconInventoryRules(d Deps) *table.Plugin {
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
	generate := func(ctx context.Context, _ table.QueryContext) ([]map[string]string, error) {
		if d.Inventory == nil {
			return nil, nil
		}
		now := time.Now()
		var rows []map[string]string
		reads := projectionOf(ctx, len(columns))
		for _, r := range d.Inventory.Set().Rules() {
			rows = append(rows, reads.keep(ruleRow(r, now)))
		}
		return rows, nil
	}
	return table.NewPlugin("beacon_inventory_rules", columns, generate,
		table.WithDescription("The rules that say which programs are expected to talk, where each stands, and when it was last of use."),
		table.WithExample("SELECT name, file, line, owner, expired, used FROM beacon_inventory_rules WHERE source = 'operator' AND (expired = 1 OR used = 0);"))
}

func ruleRow(r *inventory.Rule, now time.Time) row {
	verdict := "expected"
	if r.Unexpected {
		verdict = "unexpected"
	}
	used := r.LastUsed()
	return row{"name": r.Name, "source": r.Source.String(), "file": clean(r.File), "line": strconv.Itoa(r.Line), "verdict": verdict,
		"program": clean(r.Program()), "destinations": clean(r.Destinations()), "period": r.Period(), "comment": clean(r.Comment),
		"owner": clean(r.Owner), "reference": clean(r.Reference()), "expires": epochSeconds(r.Expires), "expired": flag(r.Expired(now)),
		"used": flag(!used.IsZero()), "last_used": epochSeconds(used)}
}
