package terminal

import (
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// fetched is an answer to a refresh.
type fetched struct {
	status Row
	rows   []Row
	err    error
}

// fetch asks for the list.
func (m *model) fetch() tea.Msg {
	var f fetched
	status, err := m.config.Ask(m.ctx, "SELECT level, tracked_pairs, unattributed_sends, evictions, lost_events, start_time FROM beacon_sensor_status")
	if err != nil {
		return fetched{err: err}
	}
	if len(status) > 0 {
		f.status = status[0]
	}
	f.rows, f.err = m.config.Ask(m.ctx, listSQL("", 0))
	return f
}

// take keeps an answer, and the cursor on the pair it was on.
func (m *model) take(f fetched) {
	m.err = f.err
	if f.err != nil {
		return
	}
	m.status, m.all = f.status, f.rows
	m.arrange()
	if m.open != nil {
		if i := slices.IndexFunc(m.all, func(r Row) bool { return keyOf(r) == keyOf(m.open) }); i >= 0 {
			maps.Copy(m.open, m.all[i])
		}
	}
}

// orders are what the list can be sorted by, each from most to least, what is equal by evidence; sql is the same for ORDER BY.
var orders = []struct {
	name, sql string
	less      func(a, b Row) bool
}{
	{"evidence", "rank", func(a, b Row) bool { return figure.Number(a["rank"]) < figure.Number(b["rank"]) }},
	{"severity", "CASE severity WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 WHEN 'info' THEN 1 ELSE 0 END DESC, rank",
		func(a, b Row) bool { return grade(a) > grade(b) }},
	{"score", "score DESC, rank", func(a, b Row) bool { return figure.Number(a["score"]) > figure.Number(b["score"]) }},
	{"last seen", "last_seen DESC, rank", func(a, b Row) bool { return figure.Number(a["last_seen"]) > figure.Number(b["last_seen"]) }},
	{"interval", "coalesce(interval_ms, 0) <= 0, max(coalesce(interval_ms, 0), 0), rank", func(a, b Row) bool {
		x, y := figure.Number(a["interval_ms"]), figure.Number(b["interval_ms"])
		return x > 0 && (y <= 0 || x < y)
	}},
	{"payload", "coalesce(size_bytes, 0) DESC, rank", func(a, b Row) bool { return figure.Number(a["size_bytes"]) > figure.Number(b["size_bytes"]) }},
}

func grade(r Row) int {
	return slices.Index([]string{"", "info", "low", "medium", "high"}, r["severity"])
}

// arrange filters and sorts what was fetched.
func (m *model) arrange() {
	var under string
	if m.at < len(m.rows) {
		under = keyOf(m.rows[m.at])
	}
	m.rows = m.rows[:0:0]
	for _, r := range m.all {
		if matches(r, m.filter) {
			m.rows = append(m.rows, r)
		}
	}
	less := orders[m.order].less
	slices.SortStableFunc(m.rows, func(a, b Row) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
	if i := slices.IndexFunc(m.rows, func(r Row) bool { return keyOf(r) == under }); i >= 0 {
		m.at = i
	}
	m.at = min(m.at, max(len(m.rows)-1, 0))
}

// matches reports whether each word of the filter stands somewhere in the row, A and a being the same.
func matches(r Row, filter string) bool {
	var text string
	for _, column := range searched {
		text += lower(r[column]) + " "
	}
	for word := range strings.FieldsSeq(lower(filter)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// lower is for the letters that LIKE does it for, A to Z.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// keyOf names a pair across refreshes. Two users who run one program are two pairs.
func keyOf(r Row) string { return r["scope"] + " " + r["uid"] + " " + r["signature"] }

// burst is a micro-burst of the pair shown close up.
type burst struct{ at, bytes float64 }

// closeUp is an answer about one pair.
type closeUp struct {
	key    string
	whole  Row // all columns
	bursts []burst
	err    error
}

// look asks for the micro-bursts and all columns of a pair.
func (m *model) look(r Row) tea.Cmd {
	r = maps.Clone(r)
	return func() tea.Msg {
		c := closeUp{key: keyOf(r)}
		whole, err := m.config.Ask(m.ctx, candidateSQL(r))
		if err != nil {
			return closeUp{key: c.key, err: err}
		}
		if len(whole) > 0 {
			c.whole = whole[0]
		}
		rows, err := m.config.Ask(m.ctx, m.historySQL(r))
		for _, b := range rows {
			c.bursts = append(c.bursts, burst{figure.Number(b["time_ms"]), figure.Number(b["bytes"])})
		}
		c.err = err
		return c
	}
}
