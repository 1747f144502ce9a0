package pipeline

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/fleet"
	packs "github.com/beaconwatch/beaconwatch/packs/fleet"
)

// sqlite is the store of "beaconwatch.ext fleet".
type sqlite struct{ *fleet.Store }

func newSQLite(t *testing.T, now int64) engine {
	s, err := fleet.Open(t.Context(), fleet.Config{Now: now, Silent: silent * time.Second, Views: packs.Cases})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return &sqlite{s}
}

func (s *sqlite) name() string { return "sqlite" }

func (s *sqlite) pid() int { return os.Getpid() }

func (s *sqlite) exec(t testing.TB, script string) {
	t.Fatal("the store of beaconwatch.ext only reads")
}

func (s *sqlite) query(t testing.TB, statement string) [][]string {
	t.Helper()
	_, rows, err := s.Store.Query(t.Context(), statement)
	require.NoError(t, err)
	return rows
}

func (s *sqlite) load(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, s.Store.Load(t.Context(), path, nil))
}

func (s *sqlite) list(t testing.TB, assets map[string]string) {
	var text strings.Builder
	for host, role := range assets {
		text.WriteString(host + "," + role + "\n")
	}
	require.NoError(t, s.Store.LoadAssets(t.Context(), "-", strings.NewReader(text.String())))
}
