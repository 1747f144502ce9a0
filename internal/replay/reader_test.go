package replay

import (
	"github.com/beaconwatch/beaconwatch/internal/logfile"
	"github.com/beaconwatch/beaconwatch/internal/logfile/logfiletest"

	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

const epoch = 1700000000

// shortRow is a row of shortHeader: a connection of 10.0.0.1 that began so many seconds after epoch.
func shortRow(second int) string { return shortRowOf("10.0.0.1", second) }

func shortRowOf(host string, second int) string {
	return fmt.Sprintf("SF\t%d.000001\tssl\t%s\t192.0.2.1\t443\ttcp\t%d\n", epoch+second, host, second)
}

func shortJSON(second int) string {
	return fmt.Sprintf(`{"_path":"conn","ts":%d.000001,"id.orig_h":"10.0.0.1","id.resp_h":"192.0.2.1","id.resp_p":443,`+
		`"proto":"tcp","orig_bytes":%d,"conn_state":"SF"}`+"\n", epoch+second, second)
}

func shortLog(seconds ...int) string {
	text := shortHeader + "\n"
	for _, s := range seconds {
		text += shortRow(s)
	}
	return text
}

// write puts each text into a file of its own and returns the paths.
func write(t testing.TB, texts ...string) []string {
	dir, paths := t.TempDir(), []string(nil)
	for i, text := range texts {
		paths = append(paths, filepath.Join(dir, fmt.Sprint("file", i)))
		require.NoError(t, os.WriteFile(paths[i], []byte(text), 0o600))
	}
	return paths
}

// replayed returns the seconds after epoch of the Data records, for a host other than 10.0.0.1 with its name.
func replayed(t testing.TB, paths []string, config Config) ([]string, Stats) {
	r, err := Open(paths, config)
	require.NoError(t, err)
	defer r.Close()
	var got []string
	var record Record
	for {
		if err := r.Next(&record); errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if record.Send.Kind == send.Data {
			second := int64(record.Send.At)/int64(time.Second) - epoch
			got = append(got, strings.TrimPrefix(record.Host+" ", "10.0.0.1 ")+fmt.Sprint(second))
		}
	}
	require.ErrorIs(t, r.Next(&record), io.EOF, "the end stays the end")
	return got, r.Stats()
}

func TestFormatsAreToldByContent(t *testing.T) {
	tsv, zeek := shortLog(1, 2), shortJSON(1)+"\n"+shortJSON(2)
	columns := "ts\tid.orig_h\tid.resp_h\tid.resp_p\tproto\torig_bytes\tconn_state\n"
	tests := map[string]string{
		"TSV":              tsv,
		"TSV with CR LF":   strings.ReplaceAll(tsv, "\n", "\r\n"),
		"TSV by tsv=T":     columns + "1700000001.000001\t10.0.0.1\t192.0.2.1\t443\ttcp\t1\tSF\n1700000002.000001\t10.0.0.1\t192.0.2.1\t443\ttcp\t\tSF\n",
		"JSON":             zeek,
		"TSV in gzip":      string(logfiletest.Gzip(t, []byte(tsv))),
		"TSV in zstd":      string(logfiletest.Zstd(t, []byte(tsv))),
		"JSON in gzip":     string(logfiletest.Gzip(t, []byte(zeek))),
		"JSON in zstd":     string(logfiletest.Zstd(t, []byte(zeek))),
		"members of gzip":  string(logfiletest.Gzip(t, []byte(shortLog(1)))) + string(logfiletest.Gzip(t, []byte(shortLog(2)))),
		"headers midway":   shortLog(1) + "#close\t2024\n" + shortLog(2),
		"other columns":    shortLog(1) + "#fields\t" + columns + "1700000002.000001\t10.0.0.1\t192.0.2.1\t443\ttcp\t-\tSF\n",
		"no final newline": strings.TrimSuffix(tsv, "\n"),
		"byte order mark":  "\xef\xbb\xbf" + zeek,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			for _, from := range []Config{{}, {Stdin: strings.NewReader(text)}} {
				paths := write(t, text)
				if from.Stdin != nil {
					paths = []string{"-"}
				}
				got, stats := replayed(t, paths, from)
				require.Equal(t, []string{"1", "2"}, got)
				require.Zero(t, stats.Bad, stats.BadLines)
				require.Equal(t, uint64(2), stats.Lines())
			}
		})
	}
}

func TestFilesAreMergedByTime(t *testing.T) {
	other := func(seconds ...int) string {
		text := shortHeader + "\n"
		for _, s := range seconds {
			text += shortRowOf("10.0.0.2", s)
		}
		return text
	}
	tests := []struct {
		name  string
		files []string
		size  int
		want  string
		late  uint64
	}{
		{"hours out of order", []string{shortLog(30, 40), shortLog(10, 20), shortLog(50)}, 1, "10 20 30 40 50", 0},
		{"two sensors", []string{shortLog(10, 30, 50), other(20, 40, 60)}, 1,
			"10 10.0.0.2 20 30 10.0.0.2 40 50 10.0.0.2 60", 0},
		{"written at the end", []string{shortLog(20, 30, 10, 40)}, 100, "10 20 30 40", 0},
		{"later than the window reaches", []string{shortLog(20, 30, 40, 10, 50)}, 2, "20 30 10 40 50", 1},
		{"an empty file between", []string{shortLog(20), "", shortHeader + "\n", shortLog(10)}, 1, "10 20", 0},
		{"no file", nil, 1, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, stats := replayed(t, write(t, tt.files...), Config{Reorder: tt.size})
			require.Equal(t, tt.want, strings.Join(got, " "))
			require.Equal(t, tt.late, stats.Late)
		})
	}
}

func TestManyFilesOfOneTime(t *testing.T) {
	var files []string
	for i := range 3 * maxOpen {
		files = append(files, shortLog(i%7, 10+i%7))
	}
	got, stats := replayed(t, write(t, files...), Config{})
	require.Len(t, got, 6*maxOpen)
	require.Zero(t, stats.Bad)
}

func TestBadLinesAreNamedAndTheRestIsRead(t *testing.T) {
	text := shortLog(1) + "SF\tnonsense\n" + shortRow(2) + "\n" + strings.Replace(shortRow(3), "10.0.0.1", "nobody", 1) +
		strings.Repeat("y", MaxLogLine+1) + "\n" + shortRow(4)
	paths := write(t, text, shortJSON(5)+`{"ts":17`+"\n"+shortJSON(6))
	got, stats := replayed(t, paths, Config{})
	require.Equal(t, []string{"1", "2", "4", "5", "6"}, got)
	require.Equal(t, uint64(4), stats.Bad)
	require.Equal(t, uint64(9), stats.Lines())
	var messages []string
	for _, b := range stats.BadLines {
		messages = append(messages, strings.TrimPrefix(b.Error(), filepath.Dir(paths[0])+"/"))
	}
	require.Equal(t, []string{
		"file0:7: 2 columns where #fields has 8",
		`file0:10: id.orig_h: "nobody" is not an address`,
		"file0:11: line too long: over 1048576 bytes",
		"file1:2: broken JSON: ends where ',' or '}' is due",
	}, messages)
}

func TestBadLinesAreCountedPastTheOnesKept(t *testing.T) {
	_, stats := replayed(t, write(t, shortLog(1)+strings.Repeat("bad\n", 1000)), Config{})
	require.Equal(t, uint64(1000), stats.Bad)
	require.Len(t, stats.BadLines, logfile.MaxKept)
}

func TestOtherLogsAreSkipped(t *testing.T) {
	dns := "#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tquery\n" +
		"1700000001.5\t10.0.0.1\t192.0.2.1\t53\tudp\texample.org\n"
	got, stats := replayed(t, write(t, dns, shortLog(1)+dns+shortLog(2)), Config{})
	require.Equal(t, []string{"1", "2"}, got)
	require.Equal(t, uint64(2), stats.Skipped[OtherLog])
	require.ErrorContains(t, stats.BadLines[0], "file0:3: not a conn.log: #fields has no conn_state")
}

func TestAFileThatBreaksOffGivesWhatItHas(t *testing.T) {
	whole := logfiletest.Gzip(t, []byte(shortLog(1, 2, 3)))
	paths := write(t, string(whole[:len(whole)-5]), shortLog(4))
	got, stats := replayed(t, paths, Config{})
	require.Equal(t, []string{"1", "2", "3", "4"}, got)
	require.Equal(t, uint64(1), stats.Bad)
	require.ErrorIs(t, stats.BadLines[0], io.ErrUnexpectedEOF)
}

func TestAFileThatVanishesIsReported(t *testing.T) {
	paths := write(t, shortLog(1), shortLog(2))
	r, err := Open(paths, Config{})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, os.Remove(paths[1]))
	n := 0
	require.NoError(t, r.Run(context.Background(), func(*Record) { n++ }))
	require.Equal(t, 2, n, "the Open and the Data of the first file")
	stats := r.Stats()
	require.ErrorIs(t, stats.BadLines[0], os.ErrNotExist)
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct{ name, path, want string }{
		{"no such file", "/nonexistent/conn.log", "no such file"},
		{"a directory", t.TempDir(), "is a directory"},
		{"prose", write(t, "Dear reader,\n")[0], "neither a conn.log of Zeek (TSV or JSON) nor flows in JSON Lines"},
		{"a capture", write(t, "\xd4\xc3\xb2\xa1\x02\x00\x04\x00")[0], "zeek -r FILE"},
		{"broken gzip", write(t, "\x1f\x8b\x08\xff")[0], "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open([]string{write(t, shortLog(1))[0], tt.path}, Config{})
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "replay "+tt.path)
		})
	}
}

func TestRecordsOfAConnection(t *testing.T) {
	failed := strings.Replace(shortRow(2), "SF", "REJ", 1)
	r, err := Open(write(t, shortLog(1)+failed), Config{})
	require.NoError(t, err)
	defer r.Close()
	var kinds []string
	require.NoError(t, r.Run(context.Background(), func(got *Record) {
		kinds = append(kinds, fmt.Sprint(got.Send.Kind, got.Send.Bytes))
	}))
	require.Equal(t, []string{"open0", "data1", "failed0"}, strings.Split(strings.ReplaceAll(strings.Join(kinds, ","), " ", ""), ","))
}

func TestRunEndsWithItsContext(t *testing.T) {
	r, err := Open(write(t, shortLog(1, 2, 3)), Config{})
	require.NoError(t, err)
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	require.NoError(t, r.Run(ctx, func(*Record) { n++; cancel() }))
	require.Equal(t, 1, n)
}

func TestProgressReachesTheTotal(t *testing.T) {
	paths := write(t, string(logfiletest.Gzip(t, []byte(shortLog(1, 2)))), shortLog(3), `{"sends":[[1,2]]}`)
	r, err := Open(paths, Config{})
	require.NoError(t, err)
	defer r.Close()
	read, total := r.Progress()
	require.Zero(t, read, "looking into a file is not progress")
	require.NoError(t, r.Run(context.Background(), func(*Record) {}))
	read, whole := r.Progress()
	require.Equal(t, total, whole)
	require.Equal(t, total, read)
}

func TestWholeSecondLogsAreFlagged(t *testing.T) {
	text := strings.ReplaceAll(shortLog(1, 2), ".000001", "")
	_, stats := replayed(t, write(t, text, shortLog(5)), Config{})
	require.Equal(t, time.Second, stats.Resolution)
	_, stats = replayed(t, write(t, shortLog(5)), Config{})
	require.Zero(t, stats.Resolution)
}

// FuzzReader: whatever the bytes, Open or Next end, and the counts add up.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{shortLog(1, 2), shortJSON(1), `{"id":"a","sends":[[1,2],[0,3]]}`, "", "#\n#fields\n", "\n\n{\n",
		zeekHeader + benchRow(1), `{"id":{"orig_h":"::1"},"ts":1}`, "ts\tx\n1\t2"} {
		f.Add([]byte(seed))
		f.Add(logfiletest.Gzip(f, []byte(seed)))
		f.Add(logfiletest.Zstd(f, []byte(seed)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Open([]string{"-"}, Config{Stdin: bytes.NewReader(text), Reorder: 4})
		if err != nil {
			return
		}
		defer r.Close()
		var record Record
		rows := uint64(0)
		for r.Next(&record) == nil {
			require.NotZero(t, record.Send.At)
			require.True(t, record.Send.Socket.Remote.Addr().IsValid())
			if record.Send.Kind != send.Open && record.Send.Quality == send.Aggregated {
				rows++
			}
		}
		stats := r.Stats()
		require.LessOrEqual(t, rows, stats.Rows)
		require.LessOrEqual(t, len(stats.BadLines), logfile.MaxKept)
	})
}
