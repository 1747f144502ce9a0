package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemo shows a stranger three beacons among their neighbours, and notices when they stay silent.
func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("three beacons", func(t *testing.T) {
		t.Parallel()
		c, code := run(t, quiet(t), "demo", "--for", "20s")
		if code != 0 { // a machine too busy to run the senders in time deserves one more try
			t.Logf("first try: %s", c.out)
			c, code = run(t, quiet(t), "demo", "--for", "20s")
		}
		require.Zero(t, code, "%s%s", c.out, c.errors)
		shown := c.out.String()
		require.Contains(t, shown, "class loopback is included for this run only")
		for _, role := range []string{"beacon with jitter", "beacon, a new process each beat", "chunked exfiltration", "idle keepalive"} {
			require.Regexp(t, `ok +\S+ +`+role, shown)
		}
		require.NotContains(t, shown, "FAIL")
		first, _, found := strings.Cut(shown, "beacon_candidates, most evidence first")
		require.True(t, found)
		require.Contains(t, first, "The first candidate, after ", "nobody waits for the end to see one")
		for line := range strings.Lines(shown) {
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 120, line)
		}
	})
	t.Run("without them", func(t *testing.T) {
		t.Parallel()
		c, code := run(t, quiet(t), "demo", "--for", "20s", "--twist", "no-beacon")
		require.Equal(t, 1, code)
		require.Equal(t, 3, strings.Count(c.out.String(), "no row names it"), c.out)
	})
}
