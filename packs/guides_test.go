package packs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/table"
)

// block is a fenced block of a guide.
type block struct{ file, language, text string }

func blocks(t *testing.T) []block {
	t.Helper()
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	fence := regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```")
	var all []block
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			all = append(all, block{f, m[1], m[2]})
		}
	}
	return all
}

// TestGuidesHoldNothingThatCannotBeRead compiles the SQL of every guide, parses its shell, JSON and YAML, and looks for the files
// it names.
func TestGuidesHoldNothingThatCannotBeRead(t *testing.T) {
	host, err := NewHost(table.Deps{}, nil)
	require.NoError(t, err)
	defer host.Close()
	sql := regexp.MustCompile(`(?s)"(SELECT [^"]*)"`)
	seen := map[string]int{}
	for _, b := range blocks(t) {
		seen[b.language]++
		switch b.language {
		case "sql":
			_, err := Prepare(host)(strings.TrimSuffix(strings.TrimSpace(b.text), ";"))
			require.NoError(t, err, "%s: %s", b.file, b.text)
		case "sh":
			out, err := exec.Command("sh", "-n", "-c", b.text).CombinedOutput()
			require.NoError(t, err, "%s: %s\n%s", b.file, b.text, out)
			for _, m := range sql.FindAllStringSubmatch(b.text, -1) {
				_, err := Prepare(host)(m[1])
				require.NoError(t, err, "%s: %s", b.file, m[1])
			}
		case "json":
			require.True(t, json.Valid([]byte(b.text)), "%s: %s", b.file, b.text)
		case "yaml":
			require.NoError(t, yaml.Unmarshal([]byte(b.text), new(any)), "%s: %s", b.file, b.text)
		}
	}
	require.GreaterOrEqual(t, seen["sql"], 20)
	require.GreaterOrEqual(t, seen["sh"], 8)
}

func TestGuidesLinkToFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):#]+)\)`)
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			require.FileExists(t, m[1], f)
		}
	}
}
