package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/report"
)

// stage is a view over rows of the test's, as if on a terminal of that size.
type stage struct {
	*model
	asked []string
	rows  []Row
	err   error
}

const now = 1_700_000_000

func newStage(t *testing.T, width, height int, rows ...Row) *stage {
	s := &stage{rows: rows}
	s.model = newModel(t.Context(), Config{Source: "running sensor", Ask: s.ask, History: report.History})
	s.now = time.Unix(now, 0)
	s.Update(tea.WindowSizeMsg{Width: width, Height: height})
	s.refresh()
	return s
}

func (s *stage) ask(_ context.Context, sql string) ([]Row, error) {
	s.asked = append(s.asked, sql)
	switch {
	case s.err != nil:
		return nil, s.err
	case strings.Contains(sql, "beacon_sensor_status"):
		return []Row{{"level": "L3", "tracked_pairs": "3", "unattributed_sends": "2", "evictions": "0", "start_time": fmt.Sprint(now - 90)}}, nil
	case strings.Contains(sql, "process_send_history"):
		var bursts []Row
		for i := range 30 {
			bursts = append(bursts, Row{"time_ms": fmt.Sprint(now*1000 + i*60_000), "bytes": "151"})
		}
		return bursts, nil
	case strings.Contains(sql, "signature ="):
		return []Row{{"cmdline": "implant --fast", "parent_path": "/usr/sbin/cron", "suspicions": "no_package=2"}}, nil
	}
	return s.rows, nil
}

func (s *stage) refresh() { s.Update(s.fetch()) }

// press types keys; what they ask for is answered at once.
func (s *stage) press(keys ...string) {
	for _, k := range keys {
		key := tea.Key{Text: k}
		switch k {
		case "enter":
			key = tea.Key{Code: tea.KeyEnter}
		case "esc":
			key = tea.Key{Code: tea.KeyEscape}
		case "down":
			key = tea.Key{Code: tea.KeyDown}
		case "backspace":
			key = tea.Key{Code: tea.KeyBackspace}
		case "space":
			key = tea.Key{Code: tea.KeySpace, Text: " "}
		default:
			key.Code = []rune(k)[0]
		}
		if _, cmd := s.Update(tea.KeyPressMsg(key)); cmd != nil {
			if msg, ok := cmd().(closeUp); ok {
				s.Update(msg)
			}
		}
	}
}

// screen is what is drawn, without colours.
func (s *stage) screen(t *testing.T) string {
	view := s.View().Content
	lines := strings.Split(view, "\n")
	require.LessOrEqual(t, len(lines), s.height)
	for _, l := range lines {
		require.LessOrEqual(t, lipgloss.Width(l), s.width, "%q", l)
	}
	return ansi.Strip(view)
}

func candidate(path, severity, score, interval string) Row {
	return Row{"scope": "destination", "path": path, "severity": severity, "score": score, "evidence": score, "remote_address": "198.51.100.7", "remote_port": "443",
		"interval_ms": interval, "jitter": "0.2", "size_bytes": "151", "beats": "212", "last_seen": fmt.Sprint(now - 40), "insufficient": "0",
		"sparkline": "▄▅▅▄▅▄▅▅", "signature": path + " tcp://198.51.100.7:443", "reason": "94 % of 212 gaps within ±20 % of 60 s, 31 % by chance"}
}

func three() []Row {
	return []Row{candidate("/opt/agent", "low", "0.99", "10000"), candidate("/tmp/implant", "high", "0.97", "60000"),
		candidate("/usr/sbin/chronyd", "info", "0.95", "30000")}
}

func TestListShowsWhatMatters(t *testing.T) {
	rows := three()
	rows[1]["size_bytes"], rows[1]["sparkline"] = "98304", "▅▄▁▅█"
	delete(rows[2], "size_bytes")
	for _, size := range [][2]int{{80, 24}, {130, 40}, {109, 24}, {110, 24}, {80, 7}, {40, 10}, {20, 3}, {1, 1}, {300, 100}} {
		s := newStage(t, size[0], size[1], rows...)
		screen := s.screen(t)
		if size[0] < 80 {
			continue
		}
		for _, text := range []string{"level L3", "3 pairs", "2 unattributed", "/opt/agent", "198.51.100.7:443", "10 s ±20%", "low", "94 % of 212 gaps", "silent 40 s",
			"151 B", "▄▅▅▄▅▄▅▅"} {
			require.Contains(t, screen, text, "%v", size)
		}
		if size[1] > 7 {
			for _, text := range []string{"mp/implant", "60 s ±20%", "20 s", "high", "due"} {
				require.Contains(t, screen, text)
			}
		}
		inColumns := size[0] >= 110
		require.Equal(t, inColumns, strings.Contains(screen, "96 KiB"), "of the others where there is room")
		require.Equal(t, !inColumns, strings.Contains(screen, "\nsize 151 B · gaps ▄▅▅▄▅▄▅▅\n"))
		s.press("down")
		require.Contains(t, s.screen(t), "96 KiB")
		require.Contains(t, s.screen(t), "▅▄▁▅█")
		require.Contains(t, s.screen(t), "mp/implant", "the row under the cursor is on the screen")
		s.press("down")
		require.Equal(t, !inColumns, strings.Contains(s.screen(t), "size – · gaps ▄▅▅▄▅▄▅▅"))
	}
}

func TestSortFilterFreeze(t *testing.T) {
	s := newStage(t, 100, 24, three()...)
	order := func() (paths []string) {
		for _, r := range s.model.rows {
			paths = append(paths, r["path"])
		}
		return paths
	}
	require.Equal(t, []string{"/opt/agent", "/tmp/implant", "/usr/sbin/chronyd"}, order())
	s.press("down", "s")
	require.Equal(t, []string{"/tmp/implant", "/opt/agent", "/usr/sbin/chronyd"}, order())
	require.Equal(t, 0, s.at, "the cursor stays on its pair")

	s.press("/", "c", "h", "r", "o", "n", "x", "backspace", "enter")
	require.Equal(t, []string{"/usr/sbin/chronyd"}, order())
	require.Contains(t, s.screen(t), "filter chron")
	s.press("esc")
	require.Len(t, order(), 3)

	s.press("space")
	require.Contains(t, s.screen(t), "FROZEN")
	asked := len(s.asked)
	s.Update(tickMsg(time.Unix(now+1, 0)))
	require.Len(t, s.asked, asked, "nothing is asked")
	s.press("space")
	_, cmd := s.Update(tickMsg(time.Unix(now+2, 0)))
	require.NotNil(t, cmd)
	require.True(t, s.pending)
}

func TestCloseUp(t *testing.T) {
	s := newStage(t, 80, 24, three()...)
	s.press("down", "enter")
	screen := s.screen(t)
	for _, text := range []string{"/tmp/implant → 198.51.100.7:443", "every 60 s ±20%", "check-ins", "┃", "intervals", "payloads", "/usr/sbin/cron"} {
		require.Contains(t, screen, text)
	}
	s.press("G")
	for range 40 {
		s.press("down")
	}
	require.Contains(t, s.screen(t), "no_package=2")
	s.press("c")
	require.Contains(t, s.model.note, "SELECT * FROM beacon_candidates WHERE path = '/tmp/implant'")
	s.press("q")
	require.Nil(t, s.open)
	require.Contains(t, s.screen(t), "beaconwatch · running sensor")
}

func TestTroubleIsSaid(t *testing.T) {
	s := newStage(t, 80, 24)
	require.Contains(t, s.screen(t), "nothing has sent to one destination three times yet; watching for 90 s")
	s.err = errors.New("the sensor is gone")
	s.refresh()
	require.Contains(t, s.screen(t), "no answer: the sensor is gone")
	s.press("?")
	require.Contains(t, s.screen(t), "Uniform timing alone proves nothing")
}

// TestNextTellsLateFromSilent: a steady beacon is not late because this view lags it.
func TestNextTellsLateFromSilent(t *testing.T) {
	s := newStage(t, 80, 24)
	for _, tt := range []struct {
		interval string
		since    int
		want     string
	}{{"2000", 1, "1 s"}, {"2000", 4, "due"}, {"2000", 18, "due"}, {"2000", 20, "silent 20 s"}, {"60000", 40, "20 s"}, {"60000", 65, "due"},
		{"60000", 88, "due"}, {"60000", 100, "late 40 s"}, {"60000", 190, "silent 3 min"}, {"7200000", 7000, "3 min"},
		{"86400000", 9 * 86400, "silent 9 d"}, {"0", 1, "–"}} {
		r := candidate("/x", "high", "1", tt.interval)
		r["last_seen"] = fmt.Sprint(now - tt.since)
		require.Equal(t, tt.want, s.nextBeat(r), "%s ms, %d s ago", tt.interval, tt.since)
	}
}

// TestEverythingFitsTheSmallestTerminal: 80 columns and 24 lines hold every footer, all of the help, and the columns.
func TestEverythingFitsTheSmallestTerminal(t *testing.T) {
	long := candidate("/x", "medium", "0.5", "319800")
	long["last_seen"], long["insufficient"] = fmt.Sprint(now-5900), "1"
	s := newStage(t, 80, 24, append(three(), long)...)
	whole := func(line string) { require.NotRegexp(t, `…$`, line, s.screen(t)) }
	for range orders {
		lines := strings.Split(s.screen(t), "\n")
		whole(lines[len(lines)-1])
		for _, line := range lines[2:7] {
			whole(line)
		}
		s.press("s")
	}
	s.press("enter")
	lines := strings.Split(s.screen(t), "\n")
	whole(lines[len(lines)-1])
	s.press("q", "?")
	require.Contains(t, s.screen(t), "any key goes back")
	require.NotRegexp(t, `(?m)…$`, s.screen(t))
}

func TestAPairCloseUpGoesOn(t *testing.T) {
	s := newStage(t, 80, 24, candidate("/x", "high", "1", "60000"))
	s.press("enter")
	require.Contains(t, s.screen(t), "next 20 s")
	s.rows = []Row{candidate("/x", "high", "1", "60000")}
	s.rows[0]["last_seen"] = fmt.Sprint(now - 10)
	s.refresh()
	require.Contains(t, s.screen(t), "next 50 s")
	require.Equal(t, "implant --fast", s.open["cmdline"], "what only the close-up asked for stays")
}

func TestAHistogramHasTheLinesItsValuesNeed(t *testing.T) {
	plain := func(v float64) string { return fmt.Sprint(v) }
	lines := func(values ...float64) []string { return histogram("h", values, 100, 0.1, 30, plain)[1:] }
	require.Equal(t, []string{"       100 ██████████ 4"}, lines(100, 100, 101, 100))
	require.Equal(t, []string{"       100 ██████████ 4", "      more ░░ 1"}, lines(100, 100, 100, 100, 500))
	spread := lines(100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200, 1000)
	require.Len(t, spread, mostBins+1)
	require.Equal(t, []string{"  too few"}, lines(1))
}

func TestASlowAnswerIsWaitedFor(t *testing.T) {
	s := newStage(t, 80, 24, three()...)
	s.pending = true
	asked := len(s.asked)
	s.Update(tickMsg(time.Unix(now, 0)))
	require.Len(t, s.asked, asked)
}

func TestWhatAnAttackerWroteDrawsNothing(t *testing.T) {
	require.Equal(t, `'it''s'`, quoted("it's"))
	evil := candidate("/tmp/'; DROP", "high", "NaN", "-1")
	evil["last_seen"], evil["jitter"], evil["size_bytes"] = "x", "", "1e400"
	s := newStage(t, 80, 24, evil)
	s.screen(t)
	s.press("enter")
	s.screen(t)
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Every: 10 * time.Millisecond, Ask: func(context.Context, string) ([]Row, error) {
			asked <- struct{}{}
			return nil, nil
		}, Options: []tea.ProgramOption{tea.WithInput(nil), tea.WithOutput(discard{}), tea.WithWindowSize(80, 24), tea.WithoutSignals()}})
	}()
	for range 6 {
		<-asked
	}
	cancel()
	require.NoError(t, <-done)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
