package replay_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/logfile/logfiletest"
	"github.com/beaconwatch/beaconwatch/internal/replay"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// files writes each text into a file of its own and returns the paths, in the order of the texts.
func files(t testing.TB, texts ...[]byte) []string {
	dir := t.TempDir()
	var paths []string
	for i, text := range texts {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%02d", i)))
		require.NoError(t, os.WriteFile(paths[i], text, 0o600))
	}
	return paths
}

// read gives every record of the files to emit, and returns what became of the lines.
func read(t testing.TB, paths []string, config replay.Config, emit func(*replay.Record)) replay.Stats {
	r, err := replay.Open(paths, config)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Run(context.Background(), emit))
	return r.Stats()
}

// pair sums up the records of one host and destination.
type pair struct {
	opens, sends, failed int
	bytes, received      uint64
	first, last          boottime.Time
	disorder             int
}

// summary is one line for each host and destination.
func summary(t testing.TB, paths []string, config replay.Config) []byte {
	pairs := map[string]*pair{}
	stats := read(t, paths, config, func(r *replay.Record) {
		name := r.Host + " " + r.Send.Socket.Destination().String()
		p := pairs[name]
		if p == nil {
			p = &pair{first: r.Send.At}
			pairs[name] = p
		}
		switch r.Send.Kind {
		case send.Open:
			p.opens++
		case send.Data:
			p.sends++
		case send.Failed:
			p.failed++
		}
		if r.Send.At < p.last {
			p.disorder++
		}
		p.bytes, p.received, p.last = p.bytes+r.Send.Bytes, p.received+r.Send.Received, max(p.last, r.Send.At)
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, "rows=%d bad=%d not_local=%d late=%d\n", stats.Rows, stats.Bad, stats.Skipped[replay.NotLocal], stats.Late)
	var names []string
	for name := range pairs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := pairs[name]
		fmt.Fprintf(&b, "%s opens=%d sends=%d failed=%d bytes=%d received=%d first=%s last=%s disorder=%d\n", name, p.opens,
			p.sends, p.failed, p.bytes, p.received, clock(p.first), clock(p.last), p.disorder)
	}
	return b.Bytes()
}

func clock(at boottime.Time) string { return boottime.Recorded().Wall(at).Format("15:04:05.000000") }

func TestTraceIsTheCommittedOne(t *testing.T) { golden(t, "conn.log", tsv(network())) }

func TestEveryFormatGivesTheGoldenRecords(t *testing.T) {
	trace, err := os.ReadFile("testdata/conn.log")
	require.NoError(t, err)
	rows := network()
	third := len(rows) / 3
	tests := []struct {
		name  string
		texts [][]byte
	}{
		{"TSV", [][]byte{trace}},
		{"TSV in gzip", [][]byte{logfiletest.Gzip(t, trace)}},
		{"TSV in zstd", [][]byte{logfiletest.Zstd(t, trace)}},
		{"JSON", [][]byte{jsonLines(t, rows, nil)}},
		{"JSON in gzip", [][]byte{logfiletest.Gzip(t, jsonLines(t, rows, nil))}},
		{"JSON in zstd", [][]byte{logfiletest.Zstd(t, jsonLines(t, rows, nil))}},
		{"JSON with dates", [][]byte{jsonLines(t, rows, iso8601)}},
		{"JSON with nested endpoints", [][]byte{jsonLines(t, rows, nested)}},
		{"rotated and given backwards", [][]byte{tsv(rows[2*third:]), logfiletest.Gzip(t, tsv(rows[third:2*third])), tsv(rows[:third])}},
		{"rotated and concatenated", [][]byte{slices.Concat(tsv(rows[:third]), tsv(rows[third:]))}},
		{"members of gzip", [][]byte{slices.Concat(logfiletest.Gzip(t, tsv(rows[:third])), logfiletest.Gzip(t, tsv(rows[third:])))}},
		{"of two sensors", [][]byte{tsv(only(rows, "10.0.0.10")), jsonLines(t, without(rows, "10.0.0.10"), nil)}},
		{"beside a dns.log", [][]byte{trace, []byte("#fields\tts\tquery\n")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := summary(t, files(t, tt.texts...), replay.Config{})
			if tt.name == "beside a dns.log" {
				got = bytes.Replace(got, []byte("bad=1"), []byte("bad=0"), 1)
			}
			golden(t, "records.txt", got)
		})
	}
	t.Run("standard input", func(t *testing.T) {
		golden(t, "records.txt", summary(t, []string{"-"}, replay.Config{Stdin: bytes.NewReader(logfiletest.Gzip(t, trace))}))
	})
}

func only(rows []conn, host string) []conn {
	return slices.DeleteFunc(slices.Clone(rows), func(c conn) bool { return c.orig != host })
}

func without(rows []conn, host string) []conn {
	return slices.DeleteFunc(slices.Clone(rows), func(c conn) bool { return c.orig == host })
}

func TestASmallWindowCostsOrderAndNothingElse(t *testing.T) {
	whole := strings.Split(string(summary(t, []string{"testdata/conn.log"}, replay.Config{})), "\n")
	small := strings.Split(string(summary(t, []string{"testdata/conn.log"}, replay.Config{Reorder: 2})), "\n")
	require.NotEqual(t, whole[0], small[0], "some rows come late")
	for i := 1; i < len(whole); i++ {
		before, _, _ := strings.Cut(whole[i], " first=")
		after, _, _ := strings.Cut(small[i], " first=")
		require.Equal(t, before, after)
	}
}

func TestTheScannerIsHereIfListed(t *testing.T) {
	stats := read(t, []string{"testdata/conn.log"}, replay.Config{Local: prefixes("203.0.113.0/24")}, func(*replay.Record) {})
	require.Zero(t, stats.Skipped[replay.NotLocal], "local_orig still counts for the others")
}

// stream is a conn.log of n rows that exists only while it is read.
type stream struct {
	n, row int
	text   []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.text) == 0 {
		if s.row == s.n {
			return 0, io.EOF
		}
		at := time.Duration(s.row) * 7 * time.Millisecond
		s.text = fmt.Appendf(s.text, `{"ts":%d.%06d,"id.orig_h":"10.%d.%d.%d","id.orig_p":5,"id.resp_h":"192.0.2.%d","id.resp_p":443,`+
			`"proto":"tcp","duration":1.5,"orig_bytes":151,"conn_state":"SF","local_orig":true}`+"\n", began+at/time.Second,
			at%time.Second/time.Microsecond, s.row>>16&255, s.row>>8&255, s.row&255, s.row%250)
		s.row++
	}
	n := copy(p, s.text)
	s.text = append(s.text[:0], s.text[n:]...)
	return n, nil
}
