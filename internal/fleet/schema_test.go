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
	files := map[string]string{}
	for _, engine := range Engines() {
		text, err := Schema(engine)
		require.NoError(t, err)
		files[engine+".sql"] = text
	}
	for name, want := range files {
		path := filepath.Join(dir, name)
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
	require.Len(t, published, len(files)+1, "no file is left over beside cases.sql")
	_, err = Schema("oracle")
	require.EqualError(t, err, `there is no schema for "oracle": choose clickhouse, clickhouse_cluster, postgresql, sqlite`)
}
