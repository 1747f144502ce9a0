package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scoreOf runs the command on its standard input and returns the objects it wrote, what it said, and its error.
func scoreOf(t testing.TB, in io.Reader, args ...string) (rows []map[string]any, said string, err error) {
	cmd := scoreCommand()
	var out, messages bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(&out)
	cmd.SetErr(&messages)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(context.Background())
	for line := range strings.Lines(out.String()) {
		var row map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &row), line)
		rows = append(rows, row)
	}
	return rows, messages.String(), err
}

// flowLine writes a flow of sends [seconds, bytes] in the order given.
func flowLine(id string, sends [][2]float64) string {
	text, _ := json.Marshal(map[string]any{"id": id, "sends": sends})
	return string(text) + "\n"
}

// rhythm returns n check-ins of 151 bytes every minute, 10 % jitter.
func rhythm(n int, seed uint64) [][2]float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	var sends [][2]float64
	at := 1000.0
	for range n {
		sends = append(sends, [2]float64{at, 151})
		at += 60 * (1 + 0.2*(random.Float64()-0.5))
	}
	return sends
}

// chance returns n sends of a Poisson process of one a minute, of any size.
func chance(n int, seed uint64) [][2]float64 {
	random := rand.New(rand.NewPCG(seed, 2))
	var sends [][2]float64
	at := 0.0
	for range n {
		sends = append(sends, [2]float64{at, float64(random.IntN(5000))})
		at += 60 * random.ExpFloat64()
	}
	return sends
}

func TestScoreTellsARhythmFromChance(t *testing.T) {
	rows, said, err := scoreOf(t, strings.NewReader(flowLine("beacon", rhythm(100, 1))+flowLine("poisson", chance(100, 1))))
	require.NoError(t, err)
	require.Empty(t, said)
	require.Len(t, rows, 2)
	beacon, poisson := rows[0], rows[1]
	require.Equal(t, "beacon", beacon["id"])
	require.Greater(t, beacon["score"], 0.9)
	require.Less(t, poisson["score"], 0.5)
	require.Greater(t, beacon["evidence"], poisson["evidence"])
	require.InDelta(t, 60000, beacon["interval_ms"], 2000)
	require.InDelta(t, 151, beacon["size_bytes"], 1)
	require.Equal(t, math.Trunc(beacon["size_bytes"].(float64)), beacon["size_bytes"], "payloads are of whole bytes")
	require.Equal(t, false, beacon["insufficient"])
	require.Contains(t, beacon["reason_codes"], "regular_timing")
	require.Contains(t, beacon["reason"], "gaps within")
	for _, name := range []string{"confidence", "jitter", "beats", "timing_share", "timing_chance", "timing_evidence", "size_share",
		"size_evidence", "size_spread", "failed_share"} {
		require.IsType(t, 0.0, beacon[name], name)
	}
}

func TestScoreGivesOneLineForEachLineInOrder(t *testing.T) {
	var in strings.Builder
	bad := 0
	for i := range 500 {
		if i%50 == 7 {
			fmt.Fprintf(&in, "{\"id\":\"%d\",\"sends\":[[1,-1]]}\n\n", i)
			bad++
			continue
		}
		in.WriteString(flowLine(fmt.Sprint(i), chance(1+i%60, uint64(i))))
	}
	for _, jobs := range [][]string{nil, {"--jobs", "1"}, {"--jobs", "3"}} {
		rows, said, err := scoreOf(t, strings.NewReader(in.String()), jobs...)
		require.ErrorIs(t, err, errSilent)
		require.Len(t, rows, 500)
		for i, row := range rows {
			require.Equal(t, fmt.Sprint(i), row["id"])
			require.Equal(t, i%50 == 7, row["error"] != nil)
		}
		require.Equal(t, bad, strings.Count(said, "\n"))
	}
}

func TestScoreNamesBadLines(t *testing.T) {
	in := flowLine("a", rhythm(20, 1)) + "\n" + `{"sends":[[NaN,1]],"id":"b"}` + "\nnonsense\n" + flowLine("c", rhythm(20, 1))
	path := filepath.Join(t.TempDir(), "flows.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(in), 0o600))
	rows, said, err := scoreOf(t, nil, path)
	require.ErrorIs(t, err, errSilent)
	require.Equal(t, fmt.Sprintf("beaconwatch.ext: score %[1]s:3: send 1: seconds \"NaN\" is not a finite number\n"+
		"beaconwatch.ext: score %[1]s:4: broken JSON at byte 1: 'n' where '{' is due\n", path), said)
	require.Equal(t, map[string]any{"id": "b", "line": 3.0, "score": nil,
		"error": `send 1: seconds "NaN" is not a finite number`}, rows[1])
	require.Equal(t, map[string]any{"id": nil, "line": 4.0, "score": nil,
		"error": "broken JSON at byte 1: 'n' where '{' is due"}, rows[2])
	rows[3]["id"], rows[3]["line"] = rows[0]["id"], rows[0]["line"]
	require.Equal(t, rows[0], rows[3], "what is around bad lines is scored as ever")
}

func TestScoreBoundsItsMessages(t *testing.T) {
	rows, said, err := scoreOf(t, strings.NewReader(strings.Repeat("x\n", 1000)))
	require.ErrorIs(t, err, errSilent)
	require.Len(t, rows, 1000)
	require.Contains(t, said, "beaconwatch.ext: score: 980 more bad lines\n")
}

func TestScoreDoesNotCareForOrderOrOrigin(t *testing.T) {
	sends := rhythm(60, 3)
	shuffled := append([][2]float64(nil), sends...)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	split := [][2]float64{}
	for _, s := range sends {
		split = append(split, [2]float64{s[0], 100}, [2]float64{s[0], s[1] - 100})
	}
	rows, _, err := scoreOf(t, strings.NewReader(flowLine("", sends)+flowLine("", shuffled)+flowLine("", split)))
	require.NoError(t, err)
	for i, of := range []string{"", "a shuffled flow", "a flow whose sends came in two parts of one instant"} {
		delete(rows[i], "line")
		require.Equal(t, rows[0], rows[i], of)
	}
}

func TestScoreOfLittle(t *testing.T) {
	tests := map[string]string{
		"no send":       `{"sends":[]}`,
		"one send":      `{"sends":[[5,100]]}`,
		"one instant":   `{"sends":[[5,100],[5,100],[5,100]]}`,
		"zero bytes":    flowLine("", [][2]float64{{0, 0}, {60, 0}}),
		"no id":         `{"sends":[[0,1],[9,1]]}`,
		"extreme sends": `{"sends":[[0,1125899906842624],[4000000000,1125899906842624],[4000000000,1125899906842624],[1,0]]}`,
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			rows, _, err := scoreOf(t, strings.NewReader(line))
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, true, rows[0]["insufficient"])
			require.Less(t, rows[0]["score"], 0.5)
		})
	}
}

func TestScoreOfZeroBytesIsThatOfItsTiming(t *testing.T) {
	sends := rhythm(50, 1)
	for i := range sends {
		sends[i][1] = 0
	}
	rows, _, err := scoreOf(t, strings.NewReader(flowLine("empty", sends)))
	require.NoError(t, err)
	require.Greater(t, rows[0]["score"], 0.5)
	require.Zero(t, rows[0]["size_share"])
}

func TestScoreOfAMillionSends(t *testing.T) {
	var in strings.Builder
	in.WriteString(`{"id":"million","sends":[`)
	for i := range 1_000_000 {
		fmt.Fprintf(&in, "[%d.%03d,151],", i*60, i*7919%1000)
	}
	in.WriteString(`[60000000,151]]}` + "\n" + flowLine("after", rhythm(30, 1)))
	rows, _, err := scoreOf(t, strings.NewReader(in.String()))
	require.NoError(t, err)
	require.Equal(t, "after", rows[1]["id"])
	require.Greater(t, rows[0]["score"], 0.9)
	require.InDelta(t, 60000, rows[0]["interval_ms"], 1000)
}

func TestScoreRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"two files", []string{"a", "b"}, "score takes one file, not 2"},
		{"negative jobs", []string{"--jobs", "-1"}, "--jobs is -1, it must be at least 1"},
		{"no jobs", []string{"--jobs", "0"}, "--jobs is 0, it must be at least 1"},
		{"a variance beyond 1", []string{"--payload-length-variance", "2"}, "payload length variance must be at least 0 and below 1"},
		{"no such file", []string{"/nonexistent"}, "score /nonexistent: open /nonexistent: no such file or directory"},
		{"a directory", []string{t.TempDir()}, "is a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := scoreOf(t, strings.NewReader(""), tt.args...)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestInterruptedReadEnds(t *testing.T) {
	in, feed, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer feed.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r := interruptible(ctx, in)
	_, err = feed.WriteString("x")
	require.NoError(t, err)
	got := make([]byte, 10)
	n, err := r.Read(got)
	require.NoError(t, err)
	require.Equal(t, "x", string(got[:n]))
	ended := make(chan error)
	go func() {
		_, err := r.Read(got)
		ended <- err
	}()
	cancel()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		t.Fatal("the read goes on")
	}
}

func TestEveryLineOfOutputIsJSON(t *testing.T) {
	require.True(t, json.Valid(appendLine(nil, &verdict{Score: math.NaN()})), "even if the scorer were at fault")
	require.True(t, json.Valid(appendLine(nil, &badFlow{Error: "\x01 \xff \" \\"})))
}

func TestInterruptionIsSaidPlainly(t *testing.T) {
	var said strings.Builder
	require.Equal(t, 1, exitCode(fmt.Errorf("score: %w", context.Canceled), &said))
	require.Equal(t, "beaconwatch.ext: interrupted\n", said.String())
}
