package terminal

import (
	"maps"

	tea "charm.land/bubbletea/v2"
)

// key does what a key stands for; text is what it types.
func (m *model) key(name, text string) tea.Cmd {
	m.note = ""
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case m.filtering:
		m.typed(name, text)
		return nil
	case m.help:
		m.help = false
		return nil
	case m.open != nil:
		return m.detailKey(name)
	}
	return m.listKey(name)
}

// typed edits the filter.
func (m *model) typed(name, text string) {
	switch name {
	case "enter":
		m.filtering = false
	case "esc":
		m.filtering, m.filter = false, ""
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.filter = string(r[:len(r)-1])
		}
	default:
		m.filter += text
	}
	m.arrange()
}

func (m *model) listKey(name string) tea.Cmd {
	page := max(m.height-6, 1)
	switch name {
	case "q":
		return tea.Quit
	case "up", "k":
		m.at--
	case "down", "j":
		m.at++
	case "pgup":
		m.at -= page
	case "pgdown":
		m.at += page
	case "home", "g":
		m.at = 0
	case "end", "G":
		m.at = len(m.rows) - 1
	case "s":
		m.order = (m.order + 1) % len(orders)
		m.note = "sorted by " + orders[m.order].name
		m.arrange()
	case "/":
		m.filtering = true
	case "esc":
		m.filter = ""
		m.arrange()
	case "space", " ", "f":
		m.frozen = !m.frozen
		m.note = map[bool]string{true: "frozen: space goes on", false: "going on"}[m.frozen]
	case "?", "h":
		m.help = true
	case "c":
		return m.copy(listSQL(m.filter, m.order) + ";")
	case "enter":
		if m.at < len(m.rows) {
			m.open, m.bursts, m.scroll = maps.Clone(m.rows[m.at]), nil, 0
			return m.look(m.open)
		}
	}
	m.at = max(min(m.at, len(m.rows)-1), 0)
	return nil
}

func (m *model) detailKey(name string) tea.Cmd {
	switch name {
	case "q", "esc", "left", "backspace":
		m.open = nil
	case "up", "k":
		m.scroll = max(m.scroll-1, 0)
	case "down", "j":
		m.scroll++
	case "pgup":
		m.scroll = max(m.scroll-m.height/2, 0)
	case "pgdown", "space", " ":
		m.scroll += m.height / 2
	case "home", "g":
		m.scroll = 0
	case "r":
		return m.look(m.open)
	case "c":
		return m.copy(candidateSQL(m.open) + ";\n" + m.historySQL(m.open) + ";")
	case "?", "h":
		m.help = true
	}
	return nil
}

// copy hands text to the terminal's clipboard (OSC 52), which not every terminal takes.
func (m *model) copy(sql string) tea.Cmd {
	m.note = "copied, if this terminal lets programs copy: " + sql
	return tea.SetClipboard(sql)
}

func (m *model) helpLines() []string {
	return []string{
		"beaconwatch top",
		"",
		"  up, down, k, j      move; page up and down, home and end as well",
		"  enter               one pair close up: intervals, sizes, process tree, reasons",
		"  s                   sort by the next: evidence, severity, score, and so on",
		"  /                   filter by words of program, destination, grade; esc ends",
		"  space               freeze, and go on",
		"  c                   copy the SQL that gives the same rows",
		"  q                   leave, or back to the list",
		"",
		"  score       probability of a beacon at even odds; (in brackets): too few beats",
		"  every       middle of the band of intervals, and its half-width",
		"  next        when a check-in is due; late: beyond jitter and our lag;",
		"              silent: three intervals without any",
		"  size, gaps  payload; the latest gaps against interval, a steady beacon being a",
		"              line at half height; in each line from 110 columns on",
		"",
		"Uniform timing alone proves nothing: look at the program and the destination.",
		"",
		"any key goes back",
	}
}
