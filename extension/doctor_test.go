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
	udp := map[string]string{"proc": "proc", "L0": "L0", "L1": "L1", "L2": "L1", "L3": "L3"}
	for i, level := range []string{"L3", "L2", "L1", "L0", "proc"} {
		if i > 0 {
			better := []string{"L3", "L2", "L1", "L0", "proc"}[i-1]
			require.Greater(t, len(blindAt(level, udp[level]))+1, len(blindAt(better, udp[better])), level)
		}
	}
	require.Subset(t, blindAt("proc", "L0"), blindAt("L0", "L0"))
	require.Less(t, len(blindAt("L3", "L3")), len(blindAt("L1", "L1")))
}
