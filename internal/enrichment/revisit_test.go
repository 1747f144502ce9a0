package enrichment

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUnlinkedWhileItRuns: an implant removes its file when it has begun to talk; an upgrade puts another in its place.
func TestUnlinkedWhileItRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, path string)
		want   bool
	}{
		"removed": {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, true},
		"upgraded": {func(t *testing.T, path string) {
			require.NoError(t, os.Rename(install(t, "/bin/cat", path+".new"), path))
		}, false},
		"renamed":   {func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".old")) }, false},
		"as it was": {func(*testing.T, string) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))
			e := running(t, Config{})
			info := start(t, sleeper(path))
			require.False(t, facts(t, e, info).Unlinked)
			tt.change(t, path)
			again := examiner{Enricher: e}
			again.revisit(t.Context())
			require.Empty(t, again.asked(e.now()+interest), "who is not asked for costs nothing")
			f, ok := e.Facts(info.ID)
			require.True(t, ok)
			require.Equal(t, tt.want, f.Unlinked)
		})
	}
}

// TestUnlinkedBeforeItIsExamined: its file goes between its description and the first look, and it is examined once more after its
// end. A file that is no more is not another file.
func TestUnlinkedBeforeItIsExamined(t *testing.T) {
	path := install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))
	e := running(t, Config{})
	cmd := sleeper(path)
	info := start(t, cmd)
	require.NoError(t, os.Remove(path))
	require.True(t, facts(t, e, info).Unlinked)
	stop(cmd)
	require.True(t, facts(t, e, info).Unlinked)
	again := examiner{Enricher: e}
	require.NotContains(t, again.asked(e.now()), info.ID, "what cannot change is not looked at again")
}

// TestExaminedAgainIsStillAskedFor: who has all it wants to know asks seldom, and must hear of a removal nevertheless.
func TestExaminedAgainIsStillAskedFor(t *testing.T) {
	e := running(t, Config{})
	info := start(t, sleeper(install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))))
	facts(t, e, info)
	e.subjects.byID[info.ID].asked.Store(int64(interest))
	again := examiner{Enricher: e}
	again.examine(info)
	require.Contains(t, again.asked(2*interest-time.Second), info.ID)
}
