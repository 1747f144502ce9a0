package layering

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

func TestImportsFollowTheTable(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedImports, Dir: "../.."}, "./...")
	require.NoError(t, err)
	var all []Package
	for _, p := range loaded {
		require.Empty(t, p.Errors)
		one := Package{Path: p.PkgPath}
		for imp := range p.Imports {
			one.Imports = append(one.Imports, imp)
		}
		all = append(all, one)
	}
	require.NotEmpty(t, all)
	require.Empty(t, Violations(all))
}

func TestPlantedImportsAreFound(t *testing.T) {
	tests := []struct {
		name, from, imports string
	}{
		{"a fact importing state", Module + "/internal/send", Module + "/internal/history"},
		{"scoring importing sockets", Module + "/internal/beacon", Module + "/internal/send"},
		{"a sub-package of a room", Module + "/internal/beacon/beacontest", Module + "/internal/send"},
		{"a table importing a reader", Module + "/internal/table", Module + "/internal/procfs"},
		{"a room importing main", Module + "/internal/table", Module + "/extension"},
		{"SQLite outside its rooms", Module + "/internal/history", "modernc.org/sqlite"},
		{"eBPF outside bpf", Module + "/internal/source", "github.com/cilium/ebpf/ringbuf"},
		{"a comparison library in the product", Module + "/extension", "github.com/vishvananda/netlink"},
		{"osquery-go in the sensor", Module + "/internal/sensor", "github.com/osquery/osquery-go/plugin/table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Len(t, Violations([]Package{{Path: tt.from, Imports: []string{tt.imports}}}), 1)
		})
	}
	require.Len(t, Violations([]Package{{Path: Module + "/internal/util"}}), 1, "an unlisted room")
	require.Empty(t, Violations([]Package{{Path: Module + "/test/bench", Imports: []string{"github.com/vishvananda/netlink"}}}))
}

func TestTopLevelIsTheHouse(t *testing.T) {
	allowed := map[string]bool{"extension": true, "packs": true, "internal": true, "test": true, "build": true,
		"go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "ARCHITECTURE.md": true, "CHANGELOG.md": true,
		"SECURITY.md": true, "LICENSE": true}
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name()[0] != '.' {
			require.True(t, allowed[e.Name()], "%s does not belong at the top level", e.Name())
		}
	}
}
