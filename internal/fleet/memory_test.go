package fleet

import (
	"bytes"
	"fmt"
	"io"
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

// candidateLines makes up lines as they are read, so that the test holds none.
type candidateLines struct {
	next, end int
	rest      bytes.Buffer
}

func (c *candidateLines) Read(p []byte) (int, error) {
	if c.rest.Len() == 0 {
		if c.next == c.end {
			return 0, io.EOF
		}
		c.rest.Reset()
		c.rest.WriteString(candidateLine(c.next))
		c.next++
	}
	return c.rest.Read(p)
}

// TestMemoryIsBounded loads far more than the cache holds, and asks about all of it.
func TestMemoryIsBounded(t *testing.T) {
	const rows = 120_000
	before := resident(t)
	s := newStore(t, Config{})
	require.NoError(t, s.Load(t.Context(), "-", &candidateLines{end: rows}))
	require.Equal(t, []string{strconv.Itoa(rows)}, ask(t, s, "SELECT count(DISTINCT host || unix_time || reason_codes) FROM beacon_results"))
	grown := resident(t) - before
	pages, err := strconv.Atoi(ask(t, s, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0])
	require.NoError(t, err)
	t.Logf("%d MiB of rows, %d MiB of memory", pages>>20, grown>>20)
	require.Less(t, grown, 2*cacheKiB<<10+32<<20)
	require.Greater(t, pages, grown+16<<20, "the rows themselves are not in memory")
}
