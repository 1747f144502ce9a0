package history

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestLogCodeIsMonotonicAndRoundsDown(t *testing.T) {
	for code := 1; code < 256; code++ {
		require.Greater(t, logValue(uint8(code)), logValue(uint8(code-1)))
		require.EqualValues(t, code, logCode(logValue(uint8(code))))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := time.Duration(r.Int64N(int64(60 * time.Hour)))
		got := logValue(logCode(d))
		require.LessOrEqual(t, got, d)
		require.GreaterOrEqual(t, float64(got)+1<<tick, float64(d)*0.87)
	}
	require.EqualValues(t, 255, logCode(1<<62))
	require.Zero(t, logCode(-time.Second))
}

func FuzzPackUnpack(f *testing.F) {
	f.Add(int64(1e18), int64(5e9), int64(1e6), uint64(1500), uint32(3), uint8(1), true)
	f.Add(int64(-1), int64(-1), int64(1<<62), uint64(1<<63), uint32(1<<31), uint8(255), false)
	f.Fuzz(func(t *testing.T, at, dur, within int64, bytes uint64, sends uint32, q uint8, failed bool) {
		b := Burst{At: boottime.Time(at), Last: boottime.Time(at).Add(time.Duration(dur)), Within: time.Duration(within),
			Bytes: bytes, Sends: sends, Quality: send.Quality(q), Failed: failed}
		p := pack(b)
		u := p.unpack()
		require.GreaterOrEqual(t, u.Last, u.At)
		require.GreaterOrEqual(t, u.Within, time.Duration(0))
		require.Equal(t, failed, u.Failed)
		require.LessOrEqual(t, u.Bytes, bytes)
		require.Equal(t, p, pack(u), "what is stored reads back as itself")
		if at >= 0 && at < 1<<61 {
			require.InDelta(t, at, int64(u.At), 1<<tick)
		}
	})
}
