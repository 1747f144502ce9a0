package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/beaconwatch/beaconwatch/internal/figure"
)

// detailLines show one pair: what it is, its intervals and sizes, when it checked in, who it is.
func (m *model) detailLines() []string {
	r := m.open
	lines := []string{bold.Render(programOf(r) + " → " + figure.Destination(r)), r["severity"] + "  score " + r["score"] + "  evidence " + r["evidence"] +
		"  every " + everyOf(r) + "  next " + m.nextBeat(r)}
	lines = append(lines, wrap(r["reason"], m.width)...)
	if m.err != nil {
		lines = append(lines, "no answer: "+m.err.Error())
	}
	lines = append(lines, "", bold.Render("check-ins"), m.timeline())
	var gaps, sizes []float64
	for i, b := range m.bursts {
		sizes = append(sizes, b.bytes)
		if i > 0 {
			gaps = append(gaps, b.at-m.bursts[i-1].at)
		}
	}
	width := max((m.width-4)/2, 20)
	left := histogram("intervals", gaps, figure.Number(r["interval_ms"]), figure.Number(r["jitter"]), width,
		func(ms float64) string { return figure.Duration(time.Duration(ms) * time.Millisecond) })
	right := histogram("payloads", sizes, figure.Number(r["size_bytes"]), figure.Number(r["size_spread"]), width, figure.Bytes)
	lines = append(lines, "")
	for i := range max(len(left), len(right)) {
		lines = append(lines, pad(at(left, i), width)+"    "+at(right, i))
	}
	lines = append(lines, "", bold.Render("process"))
	indent := ""
	for _, p := range [][2]string{{r["grandparent_path"], r["grandparent_cmdline"]}, {r["parent_path"], r["parent_cmdline"]}, {r["path"], r["cmdline"]}} {
		if p[0] != "" {
			lines = append(lines, indent+p[0]+"  "+faint.Render(p[1]))
			indent += "  "
		}
	}
	lines = append(lines, "")
	for _, f := range [][2]string{{"pid", r["pid"]}, {"user", r["username"]}, {"unit", r["systemd_unit"]}, {"package", r["package_name"]},
		{"sha256", r["sha256"]}, {"container", strings.TrimSpace(r["container_name"] + " " + r["container_id"])},
		{"expected", r["expected"]}, {"rule", r["rule"]}, {"suspicions", r["suspicions"]}, {"reasons", r["reason_codes"]}, {"signature", r["signature"]}} {
		if f[1] != "" {
			lines = append(lines, wrap(fmt.Sprintf("%-11s %s", f[0], f[1]), m.width)...)
		}
	}
	room := max(m.height-2, 1)
	m.scroll = max(min(m.scroll, len(lines)-room), 0)
	shown := slices.Clone(lines[m.scroll:min(len(lines), m.scroll+room)])
	for len(shown) < room {
		shown = append(shown, "")
	}
	return append(shown, m.note, faint.Render("up, down scroll · c copy SQL · r look again · q back"))
}

// timeline marks when check-ins were over the width of the screen.
func (m *model) timeline() string {
	if len(m.bursts) < 2 {
		return "  no micro-bursts held"
	}
	first, last := m.bursts[0].at, m.bursts[len(m.bursts)-1].at
	width := max(m.width-2, 10)
	marks := []rune(strings.Repeat("·", width))
	for _, b := range m.bursts {
		if i := int((b.at - first) / max(last-first, 1) * float64(width-1)); i >= 0 && i < width {
			marks[i] = '┃'
		}
	}
	return string(marks)
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-lipgloss.Width(s), 0))
}

func wrap(s string, width int) []string {
	return strings.Split(lipgloss.Wrap(s, max(width, 10), " "), "\n")
}
