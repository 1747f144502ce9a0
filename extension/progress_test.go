package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/internal/shell"
	"github.com/beaconwatch/beaconwatch/internal/table"
	"github.com/beaconwatch/beaconwatch/test/pty"
	"github.com/beaconwatch/beaconwatch/test/scene"
)

func TestProgressIsShownOnATerminalAndWiped(t *testing.T) {
	term := pty.New(t, 80, 24)
	drawn := make(chan struct{}, 1000)
	hide := showProgress(term.Slave, func() string {
		drawn <- struct{}{}
		return "scored 7 flows"
	})
	<-drawn
	hide()
	require.True(t, strings.HasPrefix(term.Expect("flows\r\x1b[K"), "\r\x1b[Kscored 7 flows"))
}

// TestWaitingForASensorShowsHowLongItHas, the commonest wait of all: half a minute before the first answer of a private one.
func TestWaitingForASensorShowsHowLongItHas(t *testing.T) {
	term := pty.New(t, 80, 24)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := &cobra.Command{}
	cmd.SetContext(ctx)
	cmd.SetErr(term.Slave)
	ended := make(chan error, 1)
	go func() { ended <- observe(cmd, 30*time.Minute) }()
	require.Contains(t, term.Expect(" s of 1800 s"), "Observing for 30m0s.\r\n\r\x1b[Kobserving: ")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	term.Expect("\r\x1b[K")

	var elsewhere bytes.Buffer
	cmd.SetErr(&elsewhere)
	cmd.SetContext(t.Context())
	require.NoError(t, observe(cmd, time.Millisecond))
	require.Equal(t, "Observing for 1ms.\n", elsewhere.String())
}

// gated answers about check-ins only once it may.
type gated struct {
	shell.Querier
	open chan struct{}
}

func (g gated) Query(ctx context.Context, sql string) ([]string, [][]string, error) {
	if strings.Contains(sql, "process_send_history") {
		<-g.open
	}
	return g.Querier.Query(ctx, sql)
}

func TestAReportShowsHowManyOfItsCardsItHas(t *testing.T) {
	played := scene.New(t)
	played.Play(scene.Implant(), scene.Exfiltration())
	host, err := newTableHost(table.All(played.Deps()), nil)
	require.NoError(t, err)
	defer host.Close()
	term := pty.New(t, 80, 24)
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetErr(term.Slave)
	ask := gated{host, make(chan struct{}, 1)}
	collected := make(chan report.Data, 1)
	go func() {
		data, err := (&reporting{least: 0.5, limit: 10}).ofTables(cmd, ask, "here", false)
		assert.NoError(t, err)
		collected <- data
	}()
	term.Expect("reading check-ins: 0 of 2 candidates")
	ask.open <- struct{}{}
	term.Expect("reading check-ins: 1 of 2 candidates")
	ask.open <- struct{}{}
	data := <-collected
	term.Expect("\r\x1b[K")
	require.Len(t, data.Candidates, 2)
	for _, c := range data.Candidates {
		require.Len(t, c.Bursts, 60)
	}
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var out bytes.Buffer
	showProgress(&out, func() string { return "x" })()
	require.Empty(t, out.String())
	file, err := os.Create(t.TempDir() + "/out")
	require.NoError(t, err)
	defer file.Close()
	showProgress(file, func() string { return "x" })()
	info, err := file.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

func TestShare(t *testing.T) {
	require.Equal(t, ", 50 % of 2.0 MiB", share(1<<20, 2<<20))
	require.Equal(t, ", 100 % of 1.0 MiB", share(3<<20, 1<<20), "a file that grew")
	require.Equal(t, ", 1.5 MiB read", share(3<<19, 0))
}
