package enrichment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHostPreload(t *testing.T) {
	for text, want := range map[string]bool{"": false, "\n \t\n": false, "# /lib/x.so\n": false, "/lib/x.so\n": true,
		"# none\n : /lib/x.so:/lib/y.so # two\n": true} {
		require.Equal(t, want, hostPreload(host(t, map[string]string{"etc/ld.so.preload": text})), "%q", text)
	}
	require.False(t, hostPreload(t.TempDir()), "there is none")
}

func FuzzSmallFiles(f *testing.F) {
	f.Add([]byte("/lib/x.so\nversion: '1.2'\n"), "17")
	f.Fuzz(func(t *testing.T, text []byte, revision string) {
		if namesLibrary(text) {
			require.NotEmpty(t, text)
		}
		require.LessOrEqual(t, len(snapVersion(text, revision)), max(64, len(revision)))
	})
}
