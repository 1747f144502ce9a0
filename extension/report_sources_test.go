package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/checkpoint"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// kept writes the histories of a sensor that has seen a beacon of 41 check-ins, on a host that booted a day ago.
func kept(t *testing.T) string {
	t.Helper()
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	known := checkpoint.Known{Info: process.Info{Cmdline: "implant --quiet", ParentPath: "/usr/sbin/cron", ParentCmdline: "/usr/sbin/cron -f"},
		Facts: process.Facts{Examined: true, SHA256: strings.Repeat("ab", 32)}}
	booted := time.Now().Add(-24 * time.Hour)
	saved, err := checkpoint.NewHistories(checkpoint.HistoriesConfig{Store: store, Boot: "that of the host",
		Offset: func() time.Duration { return time.Duration(booted.UnixNano()) },
		Known:  func(id process.ID) (checkpoint.Known, bool) { return known, id.PID == 4711 }})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), historiesFile)
	require.NoError(t, saved.Load(file))
	for n := range 41 {
		store.Record(&history.Key{Program: process.Program{Path: "/tmp/.x/implant", UID: 33}}, process.ID{PID: 4711, StartTicks: 5},
			&send.Send{Kind: send.Data, At: boottime.Time(time.Hour + time.Duration(n)*time.Minute), Bytes: 151, Sends: 1, Socket: send.Socket{Protocol: send.TCP,
				Local: netip.MustParseAddrPort("10.0.0.5:40000"), Remote: netip.MustParseAddrPort("198.51.100.7:443")}})
	}
	require.NoError(t, saved.Save())
	return file
}

// TestReportOfACheckpoint: of a sensor that is gone all is there that it had kept, and the file is left as it was.
func TestReportOfACheckpoint(t *testing.T) {
	file := kept(t)
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	page, said, code := called(t, "report", "-o", "-", file)
	require.Zero(t, code, said)
	require.Equal(t, "1 candidate in -\n", said)
	for _, text := range []string{"histories in " + file, "/tmp/.x/implant → 198.51.100.7:443", "60 s ± 0 %", "151 B", "41 check-ins in 40 min",
		time.Now().Add(-23 * time.Hour).UTC().Format("2006-01-02"), // on the wall clock of the host that it is of
		"implant --quiet", "/usr/sbin/cron -f", strings.Repeat("ab", 32), "100 % of 40 gaps within ±0.0 % of 60 s", "<svg"} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, page, "hosts, not processes")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, before, after)

	require.NoError(t, os.WriteFile(file, append(before[:len(before)-3:len(before)-3], "xyz"...), 0o600))
	_, said, code = called(t, "report", "-o", "-", file)
	require.Equal(t, 1, code, "one that is damaged is no report of a part of it")
	require.Contains(t, said, file)
}

// logged writes the log of two hosts: snapshots of candidates, of which the newest counts, and alerts, which are no more than a sign.
func logged(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	row := func(path, uid, severity, score, evidence string) string {
		return fmt.Sprintf(`{"signature":"%s tcp://198.51.100.7:443","scope":"destination","path":"%s","uid":"%s","severity":"%s","score":"%s","evidence":"%s","remote_address":"198.51.100.7",`+
			`"remote_port":"443","interval_ms":"60000","jitter":"0.01","size_bytes":"151","beats":"200","reason":"as of evidence %s"}`, path, path, uid, severity, score, evidence, evidence)
	}
	snapshot := func(host string, at int, rows ...string) {
		fmt.Fprintf(&b, `{"snapshot":[%s],"action":"snapshot","name":"pack_beacon-hunting_beacon_candidates","hostIdentifier":"%s","unixTime":%d}`+"\n", strings.Join(rows, ","), host, 1794121600+at)
	}
	snapshot("web-1", 7200, row("/tmp/implant", "33", "high", "0.98", "20"), row("/usr/bin/poller", "0", "low", "0.9", "30"), row("/usr/bin/poller", "7", "low", "0.8", "12"),
		row("/usr/bin/was", "0", "low", "0.3", "1"))
	snapshot("web-1", 0, row("/tmp/implant", "33", "medium", "0.7", "40"), row("/usr/bin/was", "0", "high", "0.99", "50"))
	snapshot("db-2", 3600, row("/tmp/implant", "33", "high", "0.99", "25"))
	fmt.Fprintf(&b, `{"name":"pack_beacon-detection_beacon_alert","hostIdentifier":"web-1","unixTime":1794130000,"columns":{"signature":"/tmp/implant tcp://198.51.100.7:443","severity":"high"},"action":"added"}`+"\n")
	b.WriteString("not a line\n")
	file := filepath.Join(t.TempDir(), "results.log")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	return file
}

// TestReportOfAFleet: a card for the newest row of each candidate of each host, the worst first, without pictures, for which there are no
// check-ins.
func TestReportOfAFleet(t *testing.T) {
	file := logged(t)
	page, said, code := called(t, "report", "--fleet", "-o", "-", file)
	require.Zero(t, code, said)
	require.Equal(t, "4 lines read, 8 rows, 1 bad line\n4 candidates in -\n", said)
	for _, text := range []string{"result logs " + file, "<b>2</b> high, <b>2</b> low;", "looked at: 4.", "as of evidence 20", "<dt>reported by</dt><dd>web-1</dd>", "<dt>reported by</dt><dd>db-2</dd>"} {
		require.Contains(t, page, text)
	}
	for _, text := range []string{"as of evidence 40", "/usr/bin/was", "<svg", "hosts, not processes"} {
		require.NotContains(t, page, text, "an older row is not the state of now")
	}
	at := 0
	for _, reason := range []string{"25", "20", "30", "12"} {
		next := strings.Index(page[at:], `<p class="reason">as of evidence `+reason+"</p>")
		require.Positive(t, next, "evidence %s is the next", reason)
		at += next
	}
	page, said, code = called(t, "report", "--fleet", "--limit", "1", "-o", "-", file)
	require.Zero(t, code, said)
	require.Contains(t, page, "<b>2</b> high, <b>2</b> low, the first 1 of them shown")
	require.NotContains(t, page, "/usr/bin/poller")
	_, said, code = called(t, "report", "--fleet", "-o", "-", file+".none")
	require.Equal(t, 1, code)
	require.Contains(t, said, "results.log.none: no such file")
}
