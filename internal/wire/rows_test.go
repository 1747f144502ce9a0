package wire

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/osquery/osquery-go/gen/osquery"
	"github.com/stretchr/testify/require"
)

var letters = NewColumns([]string{"a", "b", "c", "d"})

func TestRowsHoldWhatIsSet(t *testing.T) {
	r := letters.Rows([]string{"d", "a", "d", "nowhere"})
	require.Equal(t, []string{"d", "a"}, r.Columns())
	want := osquery.ExtensionPluginResponse{}
	for i := range 3*partRows + 1 { // every column in another order, some never, and across the ends of parts
		if r.Next(); i%3 > 0 {
			r.Set("d", fmt.Sprint(i/2))
			r.Set("b", "not held")
			r.Int("a", int64(-i))
		} else {
			r.Float("a", float64(i), 2)
		}
		want = append(want, map[string]string{})
		if i%3 > 0 {
			want[i]["d"], want[i]["a"] = fmt.Sprint(i/2), fmt.Sprint(-i)
		} else {
			want[i]["a"] = fmt.Sprintf("%d.00", i)
		}
	}
	require.NoError(t, r.Err())
	require.Equal(t, want, maps(r))
}

func TestARowMayBeginAsTheOneBefore(t *testing.T) {
	r := letters.Rows(nil)
	r.Again()
	r.Set("a", "first")
	r.Set("c", "")
	for i := range 2 * partRows {
		r.Again()
		r.Int("b", int64(i))
	}
	got := maps(r)
	require.Equal(t, map[string]string{"a": "first", "c": ""}, got[0])
	for i, row := range got[1:] {
		require.Equal(t, map[string]string{"a": "first", "c": "", "b": fmt.Sprint(i)}, row)
	}
}

func TestAValueOfTheRowBeforeIsHeldOnce(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	r := letters.Rows(nil)
	for i := range 100 {
		r.Next()
		r.Set("a", long)
		r.Int("b", int64(i))
		r.Set("c", "same")
	}
	require.Less(t, r.parts[0].text.Len(), 2*len(long))
	require.Greater(t, r.size, 100*len(long), "the bound is on what is sent")
	require.False(t, r.Same(0, 0))
	require.True(t, r.Same(1, 0))
	require.False(t, r.Same(1, 1))
}

func TestNumbersThatAreNoneAreZero(t *testing.T) {
	r := letters.Rows(nil)
	r.Next()
	r.Float("a", math.NaN(), 3)
	r.Float("b", math.Inf(-1), 0)
	require.Equal(t, osquery.ExtensionPluginResponse{{"a": "0.000", "b": "0"}}, maps(r))
}

func TestAnUnknownColumnIsAMistake(t *testing.T) {
	r := letters.Rows([]string{"a"})
	r.Next()
	require.PanicsWithValue(t, "there is no column e", func() { r.Set("e", "") })
}

func TestRowsAreBounded(t *testing.T) {
	for name, add := range map[string]func(*Rows, int){
		"by values": func(r *Rows, i int) { r.Next(); r.Int("a", int64(i)) },
		"by rows":   func(r *Rows, _ int) { r.Next() },
		"again":     func(r *Rows, _ int) { r.Again() },
		"one value": func(r *Rows, _ int) { r.Next(); r.Set("b", strings.Repeat("x", 1<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := letters.Rows(nil)
			r.limit = 50_000
			for i := range 10_000 {
				add(r, i)
			}
			require.ErrorIs(t, r.Err(), ErrTooMuch)
			require.LessOrEqual(t, r.size, r.limit)
			require.Positive(t, r.Len())
			require.Less(t, r.Len(), 10_000)
			require.Len(t, maps(r), r.Len(), "what is there can be read")
		})
	}
}

func TestCountNeedsNoColumns(t *testing.T) {
	r := letters.Rows([]string{})
	for range partRows + 1 {
		r.Next()
		r.Set("a", "x")
	}
	require.Len(t, maps(r), partRows+1)
	require.Empty(t, maps(r)[partRows])
}

func TestMapsBecomeRows(t *testing.T) {
	from := osquery.ExtensionPluginResponse{{"a": "1", "b": "2", "z": "3"}, {}, {"b": ""}}
	require.Equal(t, osquery.ExtensionPluginResponse{{"b": "2"}, {}, {"b": ""}}, maps(Answer{Maps: from}.Held(letters, []string{"b", "d"})))
	rows := letters.Rows(nil)
	require.Same(t, rows, Answer{Rows: rows}.Held(letters, nil))
}

// TestWhatIsWrittenIsOsquerysThrift reads with osquery-go's generated code what Answer writes.
func TestWhatIsWrittenIsOsquerysThrift(t *testing.T) {
	r := letters.Rows(nil)
	for i := range 2 * partRows {
		r.Next()
		r.Int("a", int64(i))
		if i%2 == 0 {
			r.Set("b", strings.Repeat("é", i))
		}
		r.Set("d", "")
	}
	twice := List([]string{"a", "b", "a"})
	twice.Next()
	for place, v := range []string{"first", "", "last"} {
		twice.Put(place, v)
	}
	require.Equal(t, osquery.ExtensionPluginResponse{{"a": "last", "b": ""}}, maps(twice))
	status := &osquery.ExtensionStatus{Code: 7, Message: "m", UUID: 3}
	for name, a := range map[string]Answer{
		"rows": {Status: status, Rows: r}, "no rows": {Status: status, Rows: letters.Rows(nil)},
		"maps": {Status: status, Maps: osquery.ExtensionPluginResponse{{"x": "y"}}}, "refusal": {Status: status},
		"columns of one name": {Status: status, Rows: twice},
	} {
		memory := thrift.NewTMemoryBuffer()
		p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(memory, 100), nil)
		require.NoError(t, a.Write(t.Context(), p), name)
		require.NoError(t, p.Flush(t.Context()))
		got := osquery.NewExtensionCallResult()
		require.NoError(t, got.Read(context.Background(), thrift.NewTBinaryProtocolConf(memory, nil)), name)
		require.Zero(t, memory.Len(), "%s: nothing is left over", name)
		require.Equal(t, status, got.Success.Status)
		want := a.Response().Response
		require.Len(t, got.Success.Response, len(want))
		for i := range want {
			require.Equal(t, want[i], got.Success.Response[i])
		}
	}
}
