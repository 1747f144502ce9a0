package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// called runs the program as a person does and returns what it printed, and its exit code with what it said.
func called(t *testing.T, args ...string) (printed, said string, code int) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	cmd := rootCommand()
	var out, messages bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(""))
	cmd.SetOut(&out)
	cmd.SetErr(&messages)
	err = cmd.ExecuteContext(t.Context())
	if err != nil {
		messages.WriteString(err.Error())
	}
	return out.String(), messages.String(), exitCode(err, null)
}

// TestWrongCallsAreRefusedAtOnce: with exit code 2, in words that name what was typed, and before anything is watched for.
func TestWrongCallsAreRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	flows, rules := filepath.Join(dir, "flows.jsonl"), filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(flows, nil, 0o600))
	require.NoError(t, os.WriteFile(rules, []byte("rules:\n  - name: x\n"), 0o600))
	nowhere := filepath.Join(dir, "none", "r.html")
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"completion", "foo"}, `unknown command "foo"`},
		{[]string{"score", "--jobs", "0", flows}, "--jobs is 0, it must be at least 1"},
		{[]string{"replay", flows, "selec"}, `there is no file "selec", and it is no statement either`},
		{[]string{"baseline", "--own_sensor", "--what_if", filepath.Join(dir, "nope")}, "nope: no such file"},
		{[]string{"baseline", "--own_sensor", "--what_if", rules}, "rules.yaml:2:"},
		{[]string{"egress", "--own_sensor", "bogus"}, `"bogus" is no unit`},
		{[]string{"report", "--own_sensor", "-o", nowhere}, "--output " + nowhere},
		{[]string{"export", "--own_sensor", "-o", nowhere}, "--output " + nowhere},
		{[]string{"report", "--own_sensor", "-o", filepath.Join(flows, "r.html")}, flows + " is no directory"},
	} {
		printed, said, code := called(t, tt.args...)
		require.Equal(t, 2, code, "%v: %s", tt.args, said)
		require.Contains(t, said, tt.says, "%v", tt.args)
		require.NotContains(t, said, "Observing", "%v", tt.args)
		require.Empty(t, printed, "%v", tt.args)
	}
	printed, _, code := called(t, "completion")
	require.Zero(t, code, "without a shell it says which there are")
	require.Contains(t, printed, "bash")
}

// TestWritingNamesTheFileThatWasAskedFor, not the temporary one.
func TestWritingNamesTheFileThatWasAskedFor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r.html")
	require.NoError(t, os.Mkdir(dir, 0o700))
	err := writeWhole(dir, nil, func(io.Writer) error { return nil })
	require.ErrorContains(t, err, "write "+dir+": ")
	require.NotContains(t, err.Error(), ".output-")
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing is left behind")
}

func TestCompletionOffersTheValuesOfFlags(t *testing.T) {
	for flag, want := range map[string][]string{"--format": {"csv", "ecs", "json", "ocsf"}, "--level": {"L3", "L2", "L1", "L0", "proc"}, "--redact": {"common", "full", "off"}} {
		printed, _, code := called(t, "__complete", "export", flag, "")
		require.Zero(t, code)
		words := strings.Fields(printed)
		for _, w := range want {
			require.True(t, slices.Contains(words, w), "%s: %s in %v", flag, w, words)
		}
	}
}

// TestHelpWritesFlagsAsItListsThem: a reader who searches the list for what an example says finds it.
func TestHelpWritesFlagsAsItListsThem(t *testing.T) {
	for _, cmd := range rootCommand().Commands() {
		for word := range strings.FieldsSeq(cmd.Example + " " + cmd.Long) {
			if name, ok := strings.CutPrefix(word, "--"); ok {
				name = strings.TrimRight(strings.SplitN(name, "=", 2)[0], ".,;:)")
				require.NotContains(t, name, "-", "%s: %s", cmd.Name(), word)
			}
		}
	}
}

// TestTheLockSaysWhomToAsk: a sensor that serves elsewhere than usual is found all the same.
func TestTheLockSaysWhomToAsk(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, "/usual", announced(dir, "/usual"))
	lock, err := lockState(dir)
	require.NoError(t, err)
	defer lock.Close()
	require.Equal(t, "/usual", announced(dir, "/usual"), "not said yet")
	require.NoError(t, announce(dir, "/a/rather/long/path/of/a/former/sensor.sock"))
	require.NoError(t, announce(dir, "/elsewhere.sock"))
	require.Equal(t, "/elsewhere.sock", announced(dir, "/usual"))
	_, said, code := called(t, "--state_dir", dir)
	require.Equal(t, 1, code)
	require.Contains(t, said, "a sensor is already running here; ask it with: beaconwatch.ext query --listen_socket /elsewhere.sock")
}
