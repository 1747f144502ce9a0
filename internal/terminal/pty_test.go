package terminal

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/test/pty"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

// TestOnATerminal runs the view as a person does: a row of grade high below the cursor is red, unless NO_COLOR is there, whatever it
// holds (no-color.org); no word is lost with the colour, and the terminal is as it was when the view is left.
func TestOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		noColor string
		red     bool
	}{{"", true}, {"1", false}, {"yes", false}, {"0", false}} {
		t.Run("NO_COLOR="+tt.noColor, func(t *testing.T) {
			t.Setenv("TERM", "xterm-256color")
			t.Setenv("NO_COLOR", tt.noColor)
			played := scene.New(t)
			played.Play(scene.Implant(), scene.Agent())
			term := pty.New(t, 80, 24)
			before, err := unix.IoctlGetTermios(int(term.Slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			ended := make(chan error, 1)
			var running sync.WaitGroup
			t.Cleanup(running.Wait) // before the terminal is closed
			running.Go(func() {
				ended <- Run(t.Context(), Config{Source: "scene", History: report.History, Ask: askingTables(t, played),
					Options: []tea.ProgramOption{tea.WithInput(term.Slave), tea.WithOutput(term.Slave)}})
			})
			drawn := term.Expect("198.51.100.7:443") + term.Expect("100 % of 59 gaps")
			raw, err := unix.IoctlGetTermios(int(term.Slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			require.Zero(t, raw.Lflag&unix.ECHO)
			for _, text := range []string{"1.00 high", "p/.x/implant", "60 s ±0%", "1.00 info", "size 900 B · gaps "} {
				require.Contains(t, ansi.Strip(drawn), text)
			}
			require.Equal(t, tt.red, regexp.MustCompile(`\x1b\[31;1m *1\.00 high`).MatchString(drawn), "%q", drawn)
			term.Type("\r") // the pair under the cursor, close up
			drawn += term.Expect("q back")
			require.Equal(t, tt.red, hasColour(drawn), "%q", drawn)
			term.Type("qq")
			require.NoError(t, <-ended)
			term.Expect("\x1b[?1049l")
			after, err := unix.IoctlGetTermios(int(term.Slave.Fd()), unix.TCGETS)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

var attributes = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// hasColour reports whether any attribute that was set is a colour (ECMA-48, SGR): 30 to 49 and 90 to 107.
func hasColour(drawn string) bool {
	return slices.ContainsFunc(attributes.FindAllStringSubmatch(drawn, -1), func(found []string) bool {
		return slices.ContainsFunc(strings.Split(found[1], ";"), func(text string) bool {
			n, err := strconv.Atoi(text)
			return err == nil && (n >= 30 && n < 50 || n >= 90)
		})
	})
}
