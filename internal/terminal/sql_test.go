package terminal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/internal/sqlhost"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// askingTables asks the real tables, in SQL, over what has been played.
func askingTables(t *testing.T, played *scene.Scene) func(context.Context, string) ([]Row, error) {
	host, err := sqlhost.New(sqlhost.Config{Name: "test"})
	require.NoError(t, err)
	t.Cleanup(host.Close)
	for _, one := range table.All(played.Deps()) {
		require.NoError(t, host.RegisterTable(one))
	}
	return func(ctx context.Context, sql string) ([]Row, error) {
		columns, values, err := host.Query(ctx, sql)
		rows := make([]Row, len(values))
		for i, v := range values {
			rows[i] = Row{}
			for j, name := range columns {
				rows[i][name] = v[j]
			}
		}
		return rows, err
	}
}

// overTables is a view over the real tables, filled with more pairs than it shows: programs with what SQL and LIKE read as something
// else in their names, of two users, with sizes and without, with a rhythm and without.
func overTables(t *testing.T) *stage {
	until := time.Now()
	flow := func(path string, uid uint32, to string, every time.Duration, count int) scene.Flow {
		return scene.Flow{Program: process.Program{Path: path, UID: uid}, PID: 100 + int32(uid), To: []string{to}, Every: every, Bytes: 151, Count: count, Until: until}
	}
	played := scene.New(t)
	played.Play(scene.Implant(), scene.Exfiltration(), scene.Agent(), scene.OneShots(), scene.Rotation(), scene.Unattributed(),
		flow("/opt/100%_sure", 0, "198.51.100.1:443", 20*time.Second, 50), flow("/opt/1000Xsure", 0, "198.51.100.1:443", 21*time.Second, 50),
		flow(`/opt/it's \_ it`, 0, "[2001:db8::1]:53", time.Minute, 40), flow("/opt/ÉTÉ", 0, "198.51.100.2:80", time.Minute, 40),
		flow("/opt/été", 0, "198.51.100.2:80", time.Minute, 40), flow("/usr/bin/Poller", 1000, "198.51.100.3:443", time.Minute, 40),
		flow("/usr/bin/Poller", 1001, "198.51.100.3:443", 90*time.Second, 30))
	for n := range 8 { // with less and less of a rhythm, and with a size or without
		at := until.Add(-time.Duration(n) * time.Minute)
		for i := range 14 {
			at = at.Add(-time.Duration(60+i*i*7919%97*n*n*n/8) * time.Second)
			played.Play(scene.Flow{Program: process.Program{Path: "/usr/bin/reader"}, PID: 99, To: []string{fmt.Sprintf("198.51.100.%d:443", 200+n)},
				Bytes: uint64(40 + 977*i*(n%2)), Count: 1, Until: at})
		}
	}
	many := scene.Flow{Program: process.Program{Path: "/usr/bin/crawler"}, PID: 98, Every: time.Second, Bytes: 90, Until: until}
	for n := range shown {
		many.To = append(many.To, fmt.Sprintf("203.0.113.%d:8080", n))
	}
	many.Count = 3 * len(many.To)
	played.Play(many)

	s := &stage{model: newModel(t.Context(), Config{History: report.History, Ask: askingTables(t, played)})}
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	s.refresh()
	require.Len(t, s.all, shown)
	for _, column := range []string{"severity", "score", "interval_ms", "size_bytes", "last_seen"} {
		values := map[string]int{}
		for _, r := range s.all {
			values[r[column]]++
		}
		require.Greater(t, len(values), 2, "%s: there is something to sort, %v", column, values)
	}
	return s
}

// copied are the rows of each statement that the key copies.
func (s *stage) copied(t *testing.T) (answers [][]Row) {
	s.press("c")
	_, text, found := strings.Cut(s.note, "copied, if this terminal lets programs copy: ")
	require.True(t, found, s.note)
	for sql := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";\n") {
		rows, err := s.config.Ask(t.Context(), sql)
		require.NoError(t, err)
		answers = append(answers, rows)
	}
	return answers
}

// TestTheSQLCopiedGivesTheRowsShown in their order, whatever the filter and the order.
func TestTheSQLCopiedGivesTheRowsShown(t *testing.T) {
	s := overTables(t)
	for filter, want := range map[string]int{"": shown, "100%_": 1, "%": 1, "_": 2, `\_`: 1, "it's": 1, "'": 1, "0xS": 1, "POLLER": 2, "été": 1, "ÉTÉ": 1,
		"opt 443": 4, "reader 198": -1, "high": -1, "2001:db8::1": 1, "nothing": 0, "crawler TCP 8080": -1} {
		s.filter = filter
		for range orders {
			s.press("s")
			require.Equal(t, s.model.rows, s.copied(t)[0], "%q by %s", filter, orders[s.order].name)
			if want >= 0 {
				require.Len(t, s.model.rows, want, filter)
			} else {
				require.NotEmpty(t, s.model.rows, filter)
			}
		}
	}
}

// TestTheSQLOfACloseUpGivesItsRow, and its micro-bursts: not those of another user who runs the same.
func TestTheSQLOfACloseUpGivesItsRow(t *testing.T) {
	s := overTables(t)
	s.filter = "poller"
	s.arrange()
	require.Len(t, s.model.rows, 2)
	for i, shown := range s.model.rows {
		s.at = i
		s.press("enter")
		require.Equal(t, shown["uid"], s.open["uid"], "the close-up is of the row under the cursor")
		answers := s.copied(t)
		require.Len(t, answers, 2)
		require.Len(t, answers[0], 1)
		require.Equal(t, shown["uid"], answers[0][0]["uid"])
		require.Equal(t, map[string]int{"1000": 40, "1001": 30}[shown["uid"]], len(answers[1]))
		require.Len(t, s.bursts, len(answers[1]))
		s.refresh()
		require.Equal(t, shown["interval_ms"], s.open["interval_ms"], "and stays so")
		s.press("q")
	}
}

// TestEveryOrderIsThatOfItsSQL also for what sorts oddly: NULL, 0, equal values, no grade.
func TestEveryOrderIsThatOfItsSQL(t *testing.T) {
	host, err := sqlhost.New(sqlhost.Config{Name: "test"})
	require.NoError(t, err)
	defer host.Close()
	r := rand.New(rand.NewPCG(3, 1))
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	var values []string
	for rank := range 100 {
		values = append(values, fmt.Sprintf("(%d, %s, %s, %s, %s, %s)", rank+1, pick("'high'", "'medium'", "'low'", "'info'", "''"), pick("0.5", "0.75", "0.125"),
			pick("1794096000", "1794096001", "NULL"), pick("NULL", "0", "90000", "5000", "60000"), pick("NULL", "0", "9", "151")))
	}
	made := "WITH made(rank, severity, score, last_seen, interval_ms, size_bytes) AS (VALUES " + strings.Join(values, ", ") + ") SELECT * FROM made ORDER BY "
	m := newModel(t.Context(), Config{})
	m.all = scene.Ask(t, host, made+"rank")
	for m.order = range orders {
		m.arrange()
		require.Equal(t, scene.Ask(t, host, made+orders[m.order].sql), m.rows, orders[m.order].name)
	}
}
