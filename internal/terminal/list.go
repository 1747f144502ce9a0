package terminal

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// Styles carry meaning only beside words: without colour nothing is lost.
var (
	bold    = lipgloss.NewStyle().Bold(true)
	faint   = lipgloss.NewStyle().Faint(true)
	cursor  = lipgloss.NewStyle().Reverse(true)
	colours = map[string]lipgloss.Style{
		"high":   lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true),
		"medium": lipgloss.NewStyle().Foreground(lipgloss.Color("3")),
		"low":    lipgloss.NewStyle().Foreground(lipgloss.Color("2")),
	}
)

func (m *model) listLines() []string {
	lines := []string{m.headline(), ""}
	lines = append(lines, bold.Render(m.columns("score", "grade", "program", "destination", "every", "size", "beats", "next", "gaps")))
	foot := []string{m.reason(), faint.Render(m.footer())}
	if m.width < wide {
		foot = append([]string{m.sizeAndGaps()}, foot...)
	}
	room := max(m.height-len(lines)-len(foot), 1)
	m.top = max(min(m.top, m.at), m.at-room+1)
	for i := m.top; i < min(len(m.rows), m.top+room); i++ {
		line := m.listLine(m.rows[i])
		switch style, graded := colours[m.rows[i]["severity"]]; {
		case i == m.at:
			line = cursor.Render(line)
		case graded:
			line = style.Render(line)
		}
		lines = append(lines, line)
	}
	if len(m.rows) == 0 {
		lines = append(lines, m.empty())
	}
	for len(lines) < m.height-len(foot) {
		lines = append(lines, "")
	}
	return append(lines, foot...)
}

func (m *model) headline() string {
	parts := []string{bold.Render("beaconwatch")}
	if m.frozen {
		parts = append(parts, bold.Render("FROZEN"))
	}
	if m.filter != "" && !m.filtering {
		parts = append(parts, "filter "+m.filter)
	}
	parts = append(parts, m.config.Source)
	if m.status != nil {
		parts = append(parts, "level "+m.status["level"], m.status["tracked_pairs"]+" pairs")
		for _, loss := range [][2]string{{"lost_events", "lost"}, {"evictions", "forgotten"}, {"unattributed_sends", "unattributed"}} {
			if n := m.status[loss[0]]; n != "" && n != "0" {
				parts = append(parts, n+" "+loss[1])
			}
		}
	}
	return strings.Join(parts, " · ")
}

func (m *model) empty() string {
	switch {
	case m.filter != "":
		return "  nothing matches " + m.filter
	case m.status == nil:
		return "  asking …"
	}
	since := time.Unix(int64(figure.Number(m.status["start_time"])), 0)
	return fmt.Sprintf("  nothing has sent to one destination three times yet; watching for %s", figure.Duration(m.now.Sub(since)))
}

// wide is the number of columns from which on each line has room for sizes and gaps.
const wide = 110

// columns lays a line out for the width there is: 80 columns hold all but sizes and gaps, which sizeAndGaps has.
func (m *model) columns(score, grade, program, destination, every, size, beats, next, gaps string) string {
	free := m.width - 50 // what the columns below take beside program and destination
	rest := ""
	if m.width >= wide {
		free -= 11 + 21
		rest = fmt.Sprintf(" %10s %-20s", size, gaps)
	}
	to := min(max(free*2/5, 17), 32)
	return fmt.Sprintf("%6s %-6s %-*s %-*s %13s %5s %13s%s", score, grade, free-to, figure.ClipLeft(program, free-to), to, figure.ClipLeft(destination, to), every, beats, next, rest)
}

func (m *model) listLine(r Row) string {
	score := fmt.Sprintf("%.2f", figure.Number(r["score"]))
	if r["insufficient"] == "1" {
		score = "(" + score + ")"
	}
	return m.columns(score, r["severity"], programOf(r), figure.Destination(r), everyOf(r), sizeOf(r), r["beats"], m.nextBeat(r), r["sparkline"])
}

// sizeAndGaps says of the row under the cursor what its line has no room for.
func (m *model) sizeAndGaps() string {
	if m.at >= len(m.rows) {
		return ""
	}
	r := m.rows[m.at]
	return fmt.Sprintf("size %s · gaps %s", sizeOf(r), r["sparkline"])
}

func programOf(r Row) string {
	switch {
	case r["path"] == "":
		return "[unattributed]"
	case r["script"] != "":
		return filepath.Base(r["path"]) + " " + r["script"]
	}
	return r["path"]
}

func everyOf(r Row) string {
	ms := figure.Number(r["interval_ms"])
	if ms <= 0 {
		return "–"
	}
	return fmt.Sprintf("%s ±%.0f%%", figure.Duration(time.Duration(ms)*time.Millisecond), 100*figure.Number(r["jitter"]))
}

func sizeOf(r Row) string {
	b := figure.Number(r["size_bytes"])
	if b <= 0 {
		return "–"
	}
	return figure.Bytes(b)
}

// reason is that of the row under the cursor, or what the last key did.
func (m *model) reason() string {
	switch {
	case m.filtering:
		return "filter: " + m.filter + "█"
	case m.err != nil:
		return "no answer: " + m.err.Error()
	case m.note != "":
		return m.note
	case m.at < len(m.rows):
		return m.rows[m.at]["reason"]
	}
	return ""
}

func (m *model) footer() string {
	return "? help · q quit · enter open · s by " + orders[m.order].name + " · / filter · space freeze · c SQL"
}

// fit makes lines into a screen of exactly width and at most height.
func fit(lines []string, width, height int) string {
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, max(width, 1), "…")
	}
	return strings.Join(lines[:min(len(lines), max(height, 1))], "\n")
}
