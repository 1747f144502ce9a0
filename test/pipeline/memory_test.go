package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// resident is the resident memory of this process, proc_pid_statm(5): SQLite's is not in Go's heap.
func resident(t testing.TB) int {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// TestMemoryOfTheLoaderIsBounded loads far more than its cache holds, as it is made up.
func TestMemoryOfTheLoaderIsBounded(t *testing.T) {
	const hosts, most = 700, 96 << 20
	before := resident(t)
	s := newSQLite(t, midnight).(*sqlite)
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriter(out)
		dayOf(w, 0, hosts, rand.New(rand.NewPCG(1, 1)))
		out.CloseWithError(w.Flush())
	}()
	require.NoError(t, s.Store.Load(t.Context(), "-", in))
	require.Equal(t, strconv.Itoa(hosts), s.query(t, "SELECT count(DISTINCT host) FROM beacon_results")[0][0])
	grown := resident(t) - before
	stored, err := strconv.Atoi(s.query(t, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0])
	require.NoError(t, err)
	t.Logf("%d rows: %d MiB stored, %d MiB of memory", hosts*rowsPerHost, stored>>20, grown>>20)
	require.Less(t, grown, most)
	require.Greater(t, stored, most+16<<20, "the rows themselves are not in memory")
}
