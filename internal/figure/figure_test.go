package figure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFigures(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 ms", 340 * time.Millisecond: "340 ms", time.Minute: "60 s", 270 * time.Second: "4.5 min",
		90 * time.Minute: "90 min", 36 * time.Hour: "36 h", 7 * 24 * time.Hour: "7 d", 1000 * 24 * time.Hour: "1000 d"} {
		require.Equal(t, want, Duration(d))
	}
	for b, want := range map[float64]string{0: "0 B", 151: "151 B", 104962: "102.5 KiB", 1 << 40: "1 TiB"} {
		require.Equal(t, want, Bytes(b))
	}
	require.Equal(t, 0.5, Number("0.5"))
	require.Zero(t, Number(""))
	require.Zero(t, Number("NaN"))
	require.Zero(t, Number("-Inf"))
}

func TestClipping(t *testing.T) {
	require.Equal(t, "päth", Clip("päth", 4))
	require.Equal(t, "pä…", Clip("päthe", 3))
	require.Equal(t, "…he", ClipLeft("päthe", 3))
	require.Equal(t, "", Clip("x", 0))
	require.Equal(t, "", ClipLeft("x", 0))
}

func TestWrap(t *testing.T) {
	require.Equal(t, []string{"one two", "three"}, Wrap("one two three", 8, 5))
	require.Equal(t, []string{"one two", "three …"}, Wrap("one two three four", 8, 2))
	require.Equal(t, []string{"one two", "three", "four"}, Wrap("one two three four", 8, 0))
	require.Equal(t, []string{"one", "/a/path/beacon.py", "two"}, Wrap("one /a/path/beacon.py two", 8, 0), "a path is not cut")
	require.Equal(t, []string{"one two"}, Wrap("one two", 7, 1), "what fits has no ellipsis")
	require.Empty(t, Wrap("", 8, 3))
}

func TestCount(t *testing.T) {
	require.Equal(t, "0 candidates", Count(0, "candidate"))
	require.Equal(t, "1 candidate", Count(1, "candidate"))
	require.Equal(t, "2 candidates", Count(2, "candidate"))
}
