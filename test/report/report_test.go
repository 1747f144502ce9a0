// Package report opens reports in a real browser: they must load nothing, break nothing, and be readable by everybody.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/report"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// finding is what the browser says of a page.
type finding struct{ File, Look, Kind, What string }

func TestReportInABrowser(t *testing.T) {
	browser := "/usr/bin/chromium"
	if _, err := os.Stat(browser); err != nil {
		need.Skip(t, "Chromium is not installed: %v", err)
	}
	if _, err := os.Stat("node_modules/axe-core"); err != nil {
		need.Skip(t, "the accessibility checker is not installed: npm install --no-package-lock in test/report")
	}
	few, many := write(t, "few.html", 12), write(t, "many.html", 500)
	cmd := exec.Command("node", "browse.mjs", few, many)
	cmd.Env = append(os.Environ(), "CHROMIUM="+browser)
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderrOf(err))
	var found []finding
	require.NoError(t, json.Unmarshal(out, &found))
	for _, f := range found {
		if f.Kind == "frame" {
			t.Logf("%s, %s: the longest frame while scrolling took %s ms", filepath.Base(f.File), f.Look, f.What)
			continue
		}
		t.Errorf("%s, %s: %s: %s", filepath.Base(f.File), f.Look, f.Kind, f.What)
	}
	require.Len(t, found, 4, "each page in each look, and nothing else to say")
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return ""
}

// write makes a report of so many candidates.
func write(t *testing.T, name string, candidates int) string {
	t.Helper()
	d := report.Data{Source: "host web-1", Version: "0.1.0", Generated: time.Unix(1_700_000_000, 0), Considered: candidates,
		Status: report.Row{"level": "L0", "unattributed_sends": "4"}, Codes: map[string]string{"regular_timing": "one band of gaps beats chance"}}
	for i := range candidates {
		c := report.Candidate{Row: report.Row{"scope": "destination", "severity": []string{"high", "medium", "low", "info", ""}[i%5],
			"path": fmt.Sprintf("/opt/vendor/a-rather-long-path/that-has-to-be-broken/agent-%d", i), "pid": "4711", "cmdline": "agent --config /etc/agent.yaml",
			"parent_path": "/usr/lib/systemd/systemd", "remote_address": "2001:db8:85a3::8a2e:370:7334", "remote_port": "443", "interval_ms": "60000",
			"jitter": "0.2", "size_bytes": "151", "size_spread": "0.05", "timing_share": "0.94", "timing_chance": "0.31", "beats": "1000", "score": "0.998",
			"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "reason_codes": "regular_timing,uniform_sizes",
			"reason": "94 % of 212 gaps within ±20 % of 60 s, 31 % by chance; 97 % of payloads 151 ± 3 bytes"}}
		for b := range 1000 {
			c.Bursts = append(c.Bursts, report.Burst{At: 1_700_000_000_000 + int64(b)*60_000 + int64(b*7919%12_000), Bytes: uint64(148 + b%7)})
		}
		d.Candidates = append(d.Candidates, c)
	}
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, report.Write(f, d))
	require.NoError(t, f.Close())
	return path
}
