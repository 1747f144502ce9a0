package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/report"
)

// TestReportCountsBeyondItsLimit, and draws what has no destination.
func TestReportCountsBeyondItsLimit(t *testing.T) {
	var b strings.Builder
	for flow := range 3 {
		fmt.Fprintf(&b, `{"id":"flow-%d","sends":[`, flow)
		for n := range 40 {
			fmt.Fprintf(&b, "[%d,150],", 60*n)
		}
		b.WriteString("[2400,150]]}\n")
	}
	file := filepath.Join(t.TempDir(), "flows.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))

	page, said, code := called(t, "report", "--limit", "2", "-o", "-", file)
	require.Zero(t, code, said)
	require.Contains(t, page, "<b>3</b> low, the first 2 of them shown; pairs of program and destination looked at: 3.")
	require.Contains(t, page, "41 check-ins in 40 min", "the pictures are of its own check-ins")
	require.Contains(t, page, "an unknown destination")
	require.Contains(t, said, "2 candidates in -")

	page, said, code = called(t, "report", "--limit", "3", "-o", "-", file)
	require.Zero(t, code, said)
	require.NotContains(t, page, "of them shown")
}

// TestAReportSaysOfUDPWhatItsSourceSees, which the level does not tell: that is TCP's.
func TestAReportSaysOfUDPWhatItsSourceSees(t *testing.T) {
	const unsized, bare = "UDP is seen as sockets that open and close, without bytes", "Datagrams are seen as they leave an interface"
	for source, says := range map[string]string{"ebpf": "", "packet": bare, "udp_diag": unsized, "proc": unsized, "": "UDP is not seen"} {
		for _, level := range []string{"L3", "L2", "L1", "L0", "proc"} {
			var page strings.Builder
			require.NoError(t, report.Write(&page, report.Data{Status: report.Row{"level": level, "udp_source": source,
				"blind": strings.Join(blindAt(level, udpLevels[source]), " ")}}))
			for _, sentence := range []string{unsized, bare, "UDP is not seen"} {
				require.Equal(t, sentence == says, strings.Contains(page.String(), "<li>"+sentence), "%s, %s: %s", level, source, sentence)
			}
		}
	}
}
