package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/test/need"
	"github.com/beaconwatch/beaconwatch/test/printed"
)

// run runs beaconwatch.ext to its end and returns it with its exit code.
func run(t *testing.T, where *namespace, args ...string) (*child, int) {
	t.Helper()
	c := launch(t, where, exec.Command(beaconwatch(), args...))
	return c, c.wait(t, lifetime)
}

// queryAs asks a sensor as a user by beaconwatch.ext query.
func queryAs(t require.TestingT, user *syscall.Credential, s *sensor, sql string) (rows []map[string]string) {
	cmd := exec.Command(beaconwatch(), append(placeIn(s.dir), "query", "--json", sql)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	require.NoError(t, err)
	rows, err = printed.Rows(out)
	require.NoError(t, err)
	return rows
}

// TestQueryAttaches asks a running sensor in each format.
func TestQueryAttaches(t *testing.T) {
	t.Parallel()
	s := newSensor(t, quiet(t))
	at := append(placeIn(s.dir), "query")
	sql := "SELECT pid, level, 'a,b' AS word FROM beacon_sensor_status"
	want := map[string]string{"pid": fmt.Sprint(s.pid()), "level": "L0", "word": "a,b"}

	c, code := run(t, nil, append(at, "--json", sql)...)
	require.Zero(t, code)
	var typed []map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.out.String()), &typed))
	require.Equal(t, []map[string]any{{"pid": float64(s.pid()), "level": "L0", "word": "a,b"}}, typed, "numbers are numbers")
	require.Empty(t, c.errors.String(), "it attached, and has nothing to explain")

	c, code = run(t, nil, append(at, "--csv", sql)...)
	require.Zero(t, code)
	lines, err := csv.NewReader(strings.NewReader(c.out.String())).ReadAll()
	require.NoError(t, err)
	require.Equal(t, [][]string{{"pid", "level", "word"}, {want["pid"], "L0", "a,b"}}, lines)

	c, code = run(t, nil, append(at, sql)...)
	require.Zero(t, code)
	for column, value := range want {
		require.Contains(t, c.out.String(), column)
		require.Contains(t, c.out.String(), value)
	}
}

// TestQueryWatchesByItself observes with a private sensor where none runs.
func TestQueryWatchesByItself(t *testing.T) {
	t.Parallel()
	ns := quiet(t)
	begun := time.Now()
	c, code := run(t, ns, append(placeIn(room(t)), "query", "--for", "3s", "--json", "SELECT level, samples FROM beacon_sensor_status")...)
	require.Zero(t, code)
	require.GreaterOrEqual(t, time.Since(begun), 3*time.Second)
	require.Equal(t, "No sensor is running: watching with a private one.\nObserving for 3s.\n", c.errors.String())
	rows, err := printed.Rows([]byte(c.out.String()))
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, "L0", rows[0]["level"])
	require.Greater(t, number(t, rows[0], "samples"), 5.)

	c, code = run(t, ns, append(placeIn(room(t)), "query", "--for", "1s")...)
	require.Zero(t, code)
	require.Contains(t, c.out.String(), "beacon_candidates, most evidence first (level L0", "a listing, fit for a person")

	s := newSensor(t, ns)
	c, code = run(t, ns, append(placeIn(s.dir), "query", "--own_sensor", "--for", "1s", "--json", "SELECT pid FROM beacon_sensor_status")...)
	require.Zero(t, code)
	require.NotContains(t, c.out.String(), fmt.Sprint(s.pid()), "a private one although one is running")
}

// TestQueryRefuses answers what cannot be done with one clear sentence: exit code 2 for a mistake in the call, 1 otherwise.
func TestQueryRefuses(t *testing.T) {
	t.Parallel()
	s := newSensor(t, quiet(t))
	at := append(placeIn(s.dir), "query")
	dir := room(t)
	foreign := filepath.Join(dir, "foreign")
	listener, err := net.Listen("unix", foreign)
	require.NoError(t, err)
	defer listener.Close()
	given := os.Chown(foreign, nobody, nobody)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	tests := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown column", []string{"SELECT colour FROM beacon_candidates"}, 1, []string{"no such column: colour"}},
		{"unknown table", []string{"SELECT * FROM beacon_secrets"}, 1, []string{"no such table: beacon_secrets"}},
		{"malformed SQL", []string{"SELEKT 1"}, 1, []string{`near "SELEKT": syntax error`}},
		{"two words", []string{"SELECT", "1"}, 2, []string{"2 words", "quotes"}},
		{"unknown flag", []string{"--colour", "SELECT 1"}, 2, []string{"unknown flag: --colour", "--help"}},
		{"two formats", []string{"--json", "--csv", "SELECT 1"}, 2, []string{"--json and --csv"}},
		{"missing socket", []string{"--socket", dir + "/none", "SELECT 1"}, 1, []string{"there is no socket " + dir + "/none"}},
		{"no socket", []string{"--socket", dir + "/file", "SELECT 1"}, 1, []string{dir + "/file is not a socket"}},
		{"foreign socket", []string{"--socket", foreign, "SELECT 1"}, 1, []string{foreign + " belongs to user 65534"}},
		{"foreign sensor", []string{"--listen_socket", foreign, "SELECT 1"}, 1, []string{foreign + " belongs to user 65534"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if given != nil && strings.HasPrefix(test.name, "foreign") {
				need.Skip(t, "a socket cannot be given away: %v", given)
			}
			c, code := run(t, nil, append(at, test.args...)...)
			require.Equal(t, test.code, code)
			require.Empty(t, c.out.String())
			said := c.errors.String()
			require.Equal(t, 1, strings.Count(said, "\n"), "one sentence: %s", said)
			require.True(t, strings.HasPrefix(said, "beaconwatch.ext: "), said)
			for _, words := range test.says {
				require.Contains(t, said, words)
			}
		})
	}
}
