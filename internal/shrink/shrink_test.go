package shrink

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// live is the heap that is in use.
func live() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestAMapGivesBackTheRoomOfWhatItForgot(t *testing.T) {
	before, most := live(), 0
	m := map[int][64]byte{}
	for i := range 1 << 16 {
		m[i] = [64]byte{byte(i)}
	}
	m = Map(m, &most)
	full := live() - before
	for i := range 1<<16 - 100 {
		delete(m, i)
	}
	require.Greater(t, live()-before, full/2, "the runtime keeps it")
	m = Map(m, &most)
	require.Less(t, live()-before, full/50)
	require.Len(t, m, 100)
	for i := 1<<16 - 100; i < 1<<16; i++ {
		require.Equal(t, byte(i), m[i][0])
	}
	again := Map(m, &most)
	again[0] = [64]byte{}
	require.Len(t, m, 101, "a small one is left alone")
}
