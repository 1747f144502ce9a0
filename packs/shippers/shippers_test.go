// Package shippers holds configurations of log shippers. rsyslog's are run by test/pipeline; this holds the others to what
// can be said without running them.
package shippers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// ecsOfPacks returns what the Elastic packs map, as "column field".
func ecsOfPacks(t *testing.T) map[string]bool {
	pairs := map[string]bool{}
	paths, err := filepath.Glob(filepath.Join("..", "elastic", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for key, one := range v {
				if m, ok := one.(map[string]any); ok && m["field"] != nil {
					pairs[m["field"].(string)+" "+key] = true
				}
				walk(one)
			}
		}
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var v any
		require.NoError(t, json.Unmarshal(text, &v))
		walk(v)
	}
	require.True(t, pairs["path process.executable"])
	return pairs
}

// TestECSIsThatOfThePacks compares the mappings of all shippers with the packs', and with each other's.
func TestECSIsThatOfThePacks(t *testing.T) {
	known := ecsOfPacks(t)
	var first map[string]bool
	for path, pattern := range map[string]*regexp.Regexp{
		"filebeat/filebeat.yml":      regexp.MustCompile(`from: osquery\.columns\.(?P<column>\w+), to: (?P<field>[\w.]+)`),
		"vector/vector.yaml":         regexp.MustCompile(`(?m)^ +e\.(?P<field>[\w.]+) = .*?\bc\.(?P<column>\w+)`),
		"fluent-bit/fluent-bit.yaml": regexp.MustCompile(`[ {](?P<column>\w+) = "(?P<field>[\w.]+)"`),
	} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var parsed map[string]any
		require.NoError(t, yaml.Unmarshal(text, &parsed), path)
		require.Contains(t, string(text), "UNTESTED", "as long as nobody has run it")
		found := map[string]bool{}
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			pair := m[pattern.SubexpIndex("column")] + " " + m[pattern.SubexpIndex("field")]
			if m[pattern.SubexpIndex("column")] != "module" && m[pattern.SubexpIndex("column")] != "kind" {
				require.True(t, known[pair], "%s maps %s, the packs do not", path, pair)
				found[pair] = true
			}
		}
		require.Len(t, found, 22, path)
		if first == nil {
			first = found
		}
		require.Equal(t, first, found, path)
	}
}
