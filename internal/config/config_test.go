package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t testing.TB, text string) string {
	path := filepath.Join(t.TempDir(), "beaconwatch.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFileThenFlags(t *testing.T) {
	path := write(t, "role: web server\nmin_beats: 8\nretention: 24h\ninclude: [multicast]\n")
	c, err := Load(Default(), path, []Flag{{"min_beats", "12"}, {"include", "loopback, multicast"}, {"role", "db: 7 # no comment"}})
	require.NoError(t, err)
	require.Equal(t, "db: 7 # no comment", c.Role)
	require.Equal(t, 12, c.MinBeats)
	require.Equal(t, Duration(24*time.Hour), c.Retention)
	require.Equal(t, []string{"loopback", "multicast"}, c.Include)
	require.Equal(t, Default().MaxPairs, c.MaxPairs, "what is not named keeps its default")
}

func TestOnAndOffNeedNoQuotes(t *testing.T) {
	c, err := Load(Default(), write(t, "dns_names: off\nredact: off\n"), nil)
	require.NoError(t, err)
	require.Equal(t, "off", c.DNSNames)
	c, err = Load(c, "", []Flag{{"dns_names", "on"}})
	require.NoError(t, err)
	require.Equal(t, "on", c.DNSNames)
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n"} {
		c, err := Load(Default(), write(t, text), nil)
		require.NoError(t, err)
		require.Equal(t, Default(), c)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	tests := []struct {
		name, text string
		flags      []Flag
		want       string
	}{
		{"unknown key", "role: web\nmax_pears: 10\n", nil, `:2:1: unknown field "max_pears"`},
		{"wrong type", "role: web\nmax_pairs: many\n", nil, ":2:12: "},
		{"broken yaml", "role: [web\n", nil, ":1:"},
		{"not a duration", "retention: 7\n", nil, "is not a duration"},
		{"out of range", "max_pairs: 3\n", nil, "max_pairs is 3, it must be 10 to 1000000"},
		{"variance", "payload_length_variance: 1.5\n", nil, "payload_length_variance is 1.5"},
		{"not a number", "threshold: .nan\n", nil, "threshold is NaN"},
		{"class", "include: [internet]\n", nil, `include names "internet"`},
		{"level", "level: L9\n", nil, `level is "L9", it must be L3, L2, L1, L0 or proc`},
		{"SQL budget", "sql_cpu_budget: 0\n", nil, "sql_cpu_budget is 0, it must be above 0 and at most 1 (of one core)"},
		{"namespaces", "max_net_namespaces: -1\n", nil, "max_net_namespaces is -1, it must be 0 to 4096"},
		{"redact", "redact: maybe\n", nil, `redact is "maybe"`},
		{"DNS names", "dns_names: maybe\n", nil, `dns_names is "maybe", it must be on or off`},
		{"flag", "", []Flag{{"max_pairs", "x"}}, `flag --max_pairs: "x" is not a valid value`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(Default(), write(t, tt.text), tt.flags)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, Default(), c, "a bad file changes nothing")
		})
	}
	_, err := Load(Default(), "/nonexistent/beaconwatch.yaml", nil)
	require.ErrorContains(t, err, "no such file")
}

func TestHashTellsConfigurationsApart(t *testing.T) {
	a, b := Default(), Default()
	require.Equal(t, a.Hash(), b.Hash())
	require.Len(t, a.Hash(), 64)
	b.Retention++
	require.NotEqual(t, a.Hash(), b.Hash())
	require.Contains(t, b.JSON(), `"level":"L3"`, "as the query for tampering looks for it")
}

func FuzzLoad(f *testing.F) {
	f.Add("role: web\n")
	f.Add("include: [loopback]\nretention: 1h\n")
	f.Add("a: &a [*a]\n")
	f.Add("? : ]")
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		if err := apply(&c, []byte(text)); err != nil {
			require.Equal(t, Default(), c)
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
