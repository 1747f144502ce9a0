package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// shown is how many candidates are asked for. rank is pushed down to the table, so that ten thousand pairs cost no more.
const shown = 200

// listColumns are those that the list, its order and its filter need.
const listColumns = `rank, scope, score, severity, expected, path, script, pid, remote_address, remote_port, remote_hostname,
 destinations, interval_ms, jitter, size_bytes, beats, evidence, last_seen, sparkline, insufficient, signature, reason`

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
	f.rows, f.err = m.config.Ask(m.ctx, fmt.Sprintf("SELECT %s FROM beacon_candidates WHERE rank <= %d", listColumns, shown))
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

// orders are what the list can be sorted by, all from most to least.
var orders = []struct {
	name string
	less func(a, b Row) bool
}{
	{"evidence", func(a, b Row) bool { return figure.Number(a["evidence"]) > figure.Number(b["evidence"]) }},
	{"severity", func(a, b Row) bool { return grade(a) > grade(b) }},
	{"score", func(a, b Row) bool { return figure.Number(a["score"]) > figure.Number(b["score"]) }},
	{"last seen", func(a, b Row) bool { return figure.Number(a["last_seen"]) > figure.Number(b["last_seen"]) }},
	{"interval", func(a, b Row) bool {
		x, y := figure.Number(a["interval_ms"]), figure.Number(b["interval_ms"])
		return x > 0 && (y <= 0 || x < y)
	}},
	{"payload", func(a, b Row) bool { return figure.Number(a["size_bytes"]) > figure.Number(b["size_bytes"]) }},
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

// matches reports whether each word of the filter stands somewhere in the row, whatever the case.
func matches(r Row, filter string) bool {
	text := strings.ToLower(strings.Join([]string{r["path"], r["script"], r["remote_address"], r["remote_hostname"], r["remote_port"], r["severity"], r["signature"]}, " "))
	for _, word := range strings.Fields(strings.ToLower(filter)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// keyOf names a pair across refreshes.
func keyOf(r Row) string { return r["scope"] + " " + r["signature"] }

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
		rows, err := m.config.Ask(m.ctx, historySQL(r))
		for _, b := range rows {
			c.bursts = append(c.bursts, burst{figure.Number(b["time_ms"]), figure.Number(b["bytes"])})
		}
		c.err = err
		return c
	}
}

// candidateSQL gives the row shown, historySQL its micro-bursts.
func candidateSQL(r Row) string {
	return "SELECT * FROM beacon_candidates WHERE path = " + quoted(r["path"]) + " AND signature = " + quoted(r["signature"]) + " AND scope = " + quoted(r["scope"])
}

func historySQL(r Row) string {
	const columns = "SELECT time_ms, bytes, interval_ms FROM process_send_history WHERE path = "
	if r["scope"] == "process" {
		program := strings.TrimSuffix(r["signature"], "*")
		return fmt.Sprintf("%s%s AND substr(signature, 1, %d) = %s ORDER BY time_ms", columns, quoted(r["path"]), len([]rune(program)), quoted(program))
	}
	return columns + quoted(r["path"]) + " AND remote_address = " + quoted(r["remote_address"]) + " AND signature = " + quoted(r["signature"]) + " ORDER BY time_ms"
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
