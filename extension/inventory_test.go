package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestConfigCheckTellsWhatWouldBeRefused: what has merely expired is a warning, or one old rule would fail every deployment.
func TestConfigCheckTellsWhatWouldBeRefused(t *testing.T) {
	const rule = "rules:\n  - {name: agent, comment: c, owner: o, expires: %s, program: {path: /opt/agent}, destinations: any, period: any}\n"
	tests := []struct {
		name, rules, role, dir string
		code                   int
		says                   string
	}{
		{"in order", fmt.Sprintf(rule, "2999-01-01"), "web-server", "", 0, ""},
		{"expired", fmt.Sprintf(rule, "2020-01-01"), "", "", 0, "r.yaml:2:12: the rule agent expired after 2020-01-01"},
		{"broken", "rules: 7\n", "", "", 2, "r.yaml:1:8: rules must be a list"},
		{"role", "rules: []\n", "web servre", "", 2, `did you mean "web server"?`},
		{"directory", "rules: []\n", "", "/nonexistent", 2, "/nonexistent: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Chmod(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "r.yaml"), []byte(tt.rules), 0o644))
			cmd := rootCommand()
			var out, errors bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(&errors)
			cmd.SetArgs([]string{"config", "check", "--role", tt.role, "--inventory_dir", dir + tt.dir})
			require.Equal(t, tt.code, exitCode(cmd.Execute(), &errors), errors.String())
			require.Contains(t, errors.String(), tt.says)
			if tt.says == "" {
				require.Empty(t, errors.String())
			}
		})
	}
}
