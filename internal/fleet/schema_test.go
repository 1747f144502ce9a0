package fleet

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write packs/fleet/schema anew")

func TestPublishedSchemasAreCurrent(t *testing.T) {
	dir := filepath.Join("..", "..", "packs", "fleet", "schema")
	for _, engine := range Engines() {
		want, err := Schema(engine)
		require.NoError(t, err)
		path := filepath.Join(dir, engine+".sql")
		if *update {
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got), "run: go test ./internal/fleet -run Schemas -update")
	}
	published, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, published, len(Engines()), "no file is left over")
	_, err = Schema("oracle")
	require.EqualError(t, err, `there is no schema for "oracle": choose clickhouse, clickhouse_cluster, postgresql, sqlite`)
}
