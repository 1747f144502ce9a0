package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/config"
)

func TestDoctorSaysWhatIsSeenAndWhatIsNot(t *testing.T) {
	d := examine(config.Default())
	require.NotEqual(t, "none", d.Level, "/proc/net at least is always there")
	require.NotEmpty(t, d.Blind)
	names := map[string]finding{}
	for _, f := range append(d.Sources, d.Host...) {
		names[f.Name] = f
		require.NotEmpty(t, f.Value, f.Name)
	}
	require.True(t, names["tcp by proc"].OK)
	require.Contains(t, names, "CAP_SYS_PTRACE")

	var text bytes.Buffer
	require.NoError(t, d.print(&text))
	for _, sentence := range d.Blind {
		require.Contains(t, text.String(), "- "+sentence+"\n")
	}
	coded, err := json.Marshal(d)
	require.NoError(t, err)
	var back diagnosis
	require.NoError(t, json.Unmarshal(coded, &back))
	require.Equal(t, d, back)
}

func TestEachLevelIsBlindToMoreThanTheNext(t *testing.T) {
	require.Subset(t, blindAt("proc"), blindAt("L0"))
	require.Greater(t, len(blindAt("proc")), len(blindAt("L0")))
}
