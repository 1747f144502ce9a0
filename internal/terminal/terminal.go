// Package terminal is the live view of candidates: a list that refreshes, and one pair close up. It asks for rows in SQL and
// shows them; it decides nothing and changes nothing.
package terminal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Row is one row of a table, by column.
type Row = map[string]string

// Config of a view. Ask and History are required.
type Config struct {
	// Ask runs a statement and returns its rows.
	Ask func(ctx context.Context, sql string) ([]Row, error)
	// History is the condition in SQL that rows of process_send_history are those of a candidate.
	History func(Row) string
	// Every is the time between refreshes, default 1 s.
	Every time.Duration
	// Source says in a few words who is asked.
	Source string
	// Options are further options of the terminal program, such as other input and output.
	Options []tea.ProgramOption
}

// Run shows the view until the user leaves it or ctx ends.
func Run(ctx context.Context, c Config) error {
	if c.Every <= 0 {
		c.Every = time.Second
	}
	m := newModel(ctx, c)
	options := []tea.ProgramOption{tea.WithContext(ctx)}
	if os.Getenv("NO_COLOR") != "" { // whatever it holds, no-color.org; the library takes it for a truth value
		options = append(options, tea.WithEnvironment(append(os.Environ(), "NO_COLOR=1")))
	}
	_, err := tea.NewProgram(m, append(options, c.Options...)...).Run()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}

// model is all that the view knows. Update changes it, View draws it.
type model struct {
	config        Config
	ctx           context.Context
	width, height int
	now           time.Time

	status Row
	all    []Row // as fetched
	rows   []Row // as shown: filtered and sorted
	err    error
	frozen bool

	order     int // index into orders
	filter    string
	filtering bool
	at, top   int    // the row under the cursor and the first on screen
	note      string // what the last key did
	help      bool

	open    Row // the pair shown close up, nil for the list
	bursts  []burst
	scroll  int
	pending bool // an answer is awaited
}

func newModel(ctx context.Context, c Config) *model {
	return &model{config: c, ctx: ctx, width: 80, height: 24, now: time.Now()}
}

// Init asks for the first rows.
func (m *model) Init() tea.Cmd {
	m.pending = true
	return tea.Batch(m.fetch, m.tick())
}

type tickMsg time.Time

func (m *model) tick() tea.Cmd {
	return tea.Tick(m.config.Every, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// Update takes in a key, a change of size, or rows.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		m.now = time.Time(msg)
		if m.pending || m.frozen {
			return m, m.tick() // a slow answer is waited for, not asked for twice
		}
		m.pending = true
		return m, tea.Batch(m.fetch, m.tick())
	case fetched:
		m.pending = false
		m.take(msg)
	case closeUp:
		if m.open != nil && msg.key == keyOf(m.open) {
			m.bursts, m.err = msg.bursts, msg.err
			maps.Copy(m.open, msg.whole)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg.String(), msg.Key().Text)
	}
	return m, nil
}

// View draws the screen, which is never wider or higher than the terminal.
func (m *model) View() tea.View {
	var lines []string
	switch {
	case m.help:
		lines = m.helpLines()
	case m.open != nil:
		lines = m.detailLines()
	default:
		lines = m.listLines()
	}
	v := tea.NewView(fit(lines, m.width, m.height))
	v.AltScreen = true
	v.WindowTitle = "beaconwatch"
	return v
}
