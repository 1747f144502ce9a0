package replay

import (
	"github.com/beaconwatch/beaconwatch/internal/logfile/logfiletest"

	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// describe renders a line as its number, its id and how many sends it has.
func describe() func(dst []byte, line *FlowLine) []byte {
	return func(dst []byte, line *FlowLine) []byte {
		if line.Err != nil {
			return fmt.Appendf(dst, "%d %s bad\n", line.Line, line.Flow.ID)
		}
		return fmt.Appendf(dst, "%d %s %d\n", line.Line, line.Flow.ID, len(line.Flow.Sends))
	}
}

func TestMapKeepsTheOrder(t *testing.T) {
	var in, want strings.Builder
	for i := range 2000 {
		sends := strings.TrimSuffix(strings.Repeat("[1,2],", i*7919%300), ",")
		fmt.Fprintf(&in, `{"id":%d,"sends":[%s]}`+"\n", i, sends)
		fmt.Fprintf(&want, "%d %d %d\n", i+1, i, i*7919%300)
	}
	for _, jobs := range []int{0, 1, 7} {
		r, err := OpenFlows("-", strings.NewReader(in.String()))
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, r.Map(context.Background(), jobs, &out, describe))
		require.Equal(t, want.String(), out.String())
		stats := r.Stats()
		require.Equal(t, uint64(2000), stats.Rows)
		r.Close()
	}
}

func TestMapNamesBadLinesAndGoesOn(t *testing.T) {
	text := `{"id":"a","sends":[[1,2]]}` + "\n\n  \n" + `{"id":"b","sends":[[NaN,2]]}` + "\nbroken\n" + `{"id":"c","sends":[]}`
	path := write(t, string(logfiletest.Gzip(t, []byte(text))))[0]
	r, err := OpenFlows(path, nil)
	require.NoError(t, err)
	defer r.Close()
	var out bytes.Buffer
	require.NoError(t, r.Map(context.Background(), 2, &out, describe))
	require.Equal(t, "1 \"a\" 1\n4 \"b\" bad\n5  bad\n6 \"c\" 0\n", out.String())
	stats := r.Stats()
	require.Equal(t, uint64(2), stats.Bad)
	require.EqualError(t, stats.BadLines[0], path+`:4: send 1: seconds "NaN" is not a finite number`)
	read, total := r.Progress()
	require.Equal(t, total, read)
	require.NotZero(t, total)
}

func TestMapOfAnInputThatBreaksOff(t *testing.T) {
	var text bytes.Buffer
	for i := range 500 {
		fmt.Fprintf(&text, `{"id":%d,"sends":[[%d,1]]}`+"\n", i, i*i)
	}
	whole := logfiletest.Gzip(t, text.Bytes())
	r, err := OpenFlows(write(t, string(whole[:len(whole)-8]))[0], nil)
	require.NoError(t, err)
	defer r.Close()
	var out bytes.Buffer
	require.NoError(t, r.Map(context.Background(), 2, &out, describe))
	require.Equal(t, 500, strings.Count(out.String(), "\n"))
	stats := r.Stats()
	require.Equal(t, uint64(1), stats.Bad)
	require.ErrorIs(t, stats.BadLines[0], io.ErrUnexpectedEOF)
}

func TestMapHoldsFewLines(t *testing.T) {
	in, feed := io.Pipe()
	first := make(chan string, 1)
	go func() {
		fmt.Fprintln(feed, `{"id":1,"sends":[]}`)
		<-first // the answer came while the input is still open
		feed.Close()
	}()
	r, err := OpenFlows("-", in)
	require.NoError(t, err)
	require.NoError(t, r.Map(context.Background(), 2, writerFunc(func(p []byte) (int, error) {
		first <- string(p)
		return len(p), nil
	}), describe))
}

func TestMapEndsWithItsOutput(t *testing.T) {
	gone := errors.New("gone")
	endless := &repeating{line: []byte(`{"id":1,"sends":[[1,2]]}` + "\n")}
	r, err := OpenFlows("-", endless)
	require.NoError(t, err)
	require.ErrorIs(t, r.Map(context.Background(), 2, writerFunc(func([]byte) (int, error) { return 0, gone }), describe), gone)
}

func TestMapEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := OpenFlows("-", &repeating{line: []byte(`{"id":1,"sends":[[1,2]]}` + "\n")})
	require.NoError(t, err)
	require.ErrorIs(t, r.Map(ctx, 2, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}), describe), context.Canceled)
}

func TestOpenFlowsRefuses(t *testing.T) {
	_, err := OpenFlows("/nonexistent", nil)
	require.ErrorContains(t, err, "no such file")
	_, err = OpenFlows(t.TempDir(), nil)
	require.ErrorContains(t, err, "is a directory")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// repeating is an endless input.
type repeating struct {
	line []byte
	at   int
}

func (r *repeating) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.line[r.at:])
		n, r.at = n+c, (r.at+c)%len(r.line)
	}
	return n, nil
}
