package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/config"
)

func TestDoctorSaysWhatIsSeenAndWhatIsNot(t *testing.T) {
	d := examine(config.Default())
	require.NotEqual(t, "none", d.Level, "/proc/net at least is always there")
	require.NotEmpty(t, d.Blind)
	names := map[string]finding{}
	for _, f := range d.findings() {
		names[f.Name] = f
		require.NotEmpty(t, f.Value, f.Name)
		require.NotEmpty(t, f.Effect, f.Name)
	}
	require.True(t, names["tcp by proc"].OK)
	for _, name := range []string{"tcp by ebpf", "tcp by packet", "tcp by sock_diag", "udp by ebpf", "udp by packet", "udp by udp_diag", "udp by proc",
		"raw by ebpf", "raw by proc", "tp_btf/inet_sock_set_state", "tp_btf/sock_send_length", "cgroup/sendmsg4", "cgroup/sendmsg6",
		"cgroup/recvmsg4", "cgroup/recvmsg6", "kernel", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW",
		"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "process events", "net.core.rmem_max", "destroy notice buffer", "hidepid", "cgroup",
		"lockdown", "network namespaces", "clock"} {
		require.Contains(t, names, name)
	}
	require.Equal(t, d.Buys, buys(append(d.Programs, d.Host...)))
	require.Contains(t, names["net.core.rmem_max"].Value, " of 8388608", "it says how much is wanted")

	var text bytes.Buffer
	require.NoError(t, d.print(&text))
	for _, sentence := range append(d.Buys, d.Blind...) {
		require.Contains(t, text.String(), "- "+sentence+"\n")
	}
	coded, err := json.Marshal(d)
	require.NoError(t, err)
	var back diagnosis
	require.NoError(t, json.Unmarshal(coded, &back))
	require.Equal(t, d, back)
}

func TestWhatIsMissingIsSaidOnce(t *testing.T) {
	require.Equal(t, []string{"A, B: buys x.", "C: buys y."}, buys([]finding{{Name: "A", Effect: "buys x."}, {Name: "C", Effect: "buys y."},
		{Name: "B", Effect: "buys x."}, {Name: "D", Effect: "buys z.", OK: true}}))
}

// TestNobodyIsAdvisedToGetWhatHeHas: a process that root may not look at, such as a sandbox's init, is named, and is not missing.
func TestNobodyIsAdvisedToGetWhatHeHas(t *testing.T) {
	able := otherNamespaces(true)
	require.True(t, able.OK, able.Value)
	require.NotContains(t, able.Effect, "CAP_SYS_PTRACE")
	if strings.Contains(able.Value, "not show") {
		require.Regexp(t, `PID \d+ `, able.Value)
		unable := otherNamespaces(false)
		require.False(t, unable.OK)
		require.Contains(t, unable.Effect, "CAP_SYS_PTRACE buys them")
	}
}

func TestALevelIsAGate(t *testing.T) {
	d := diagnosis{Level: "L2", Complete: false}
	for least, want := range map[string]bool{"": false, "proc": true, "L0": true, "L1": true, "L2": true, "L3": false} {
		require.Equal(t, want, d.good(least), least)
	}
	require.False(t, diagnosis{Level: "none"}.good("proc"))
	require.True(t, diagnosis{Level: "L0", Complete: true}.good(""))
	cmd := rootCommand()
	cmd.SetArgs([]string{"doctor", "--least", "L9"})
	require.ErrorContains(t, cmd.Execute(), `--least is "L9", it must be one of proc, L0, L1, L2, L3`)
}

func TestDoctorAsksForNoProgramsBeyondTheLevel(t *testing.T) {
	for level, want := range map[string]int{"L0": 0, "L1": 0, "L2": 1, "L3": 6} {
		cfg := config.Default()
		cfg.Level = level
		require.Len(t, programFindings(cfg), want, level)
	}
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
