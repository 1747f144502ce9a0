package e2e

import (
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

// diagnosis is what doctor --json prints.
type diagnosis struct {
	Level                   string
	Complete                bool
	Sources, Programs, Host []struct {
		Name, Value, Effect string
		OK                  bool
	}
	Buys, Blind []string
}

// diagnose runs doctor after a shell command in a mount namespace of its own, by a prefix that runs a command. Its exit code must
// agree with what it says.
func diagnose(t *testing.T, before, prefix string) diagnosis {
	t.Helper()
	cmd := exec.Command("sh", "-ec", before+"\nexec "+prefix+" "+beaconwatch()+" doctor --json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.Output()
	var d diagnosis
	require.NoError(t, json.Unmarshal(out, &d), "%s", out)
	require.Equal(t, d.Complete, err == nil)
	if err != nil {
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
	}
	return d
}

// value returns what was found of that name, and whether it is good.
func (d diagnosis) value(t *testing.T, name string) (value, effect string, ok bool) {
	t.Helper()
	for _, group := range [][]struct {
		Name, Value, Effect string
		OK                  bool
	}{d.Sources, d.Programs, d.Host} {
		for _, f := range group {
			if f.Name == name {
				return f.Value, f.Effect, f.OK
			}
		}
	}
	require.Failf(t, "not looked at", "%s", name)
	return "", "", false
}

const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"

// TestDoctor: what is taken away from the sensor, doctor says, with what it costs.
func TestDoctor(t *testing.T) {
	t.Parallel()
	if quiet(t) == nil {
		need.Skip(t, "a mount namespace needs root")
	}
	for _, name := range []string{"setpriv", "umount"} {
		if _, err := exec.LookPath(name); err != nil {
			need.Skip(t, "%s(1) of util-linux is not installed: %v", name, err)
		}
	}
	all := diagnose(t, "", "")
	require.Contains(t, []string{"L3", "L2", "L1", "L0"}, all.Level)
	tests := []struct {
		name, before, prefix string
		missing              map[string]string // of these, with this value
		says                 string
	}{
		{"without cgroup2", "umount -a -t cgroup2", "", map[string]string{"cgroup/sendmsg4": "refused with errno 2 (no such file or directory)",
			"cgroup/recvmsg6": "refused with errno 2 (no such file or directory)", "cgroup": ""}, "read from the memory of the program"},
		{"without privilege", "", asNobody, map[string]string{"CAP_BPF": "absent", "CAP_NET_RAW": "absent",
			"tp_btf/sock_send_length": "refused with errno 1 (operation not permitted)"}, "stay unattributed"},
		{"hidepid", "mount -t proc -o hidepid=2 proc /proc", asNobody, map[string]string{"hidepid": "hides processes"},
			"hidepid: hides other users' processes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := diagnose(t, tt.before, tt.prefix)
			require.False(t, d.Complete)
			for name, want := range tt.missing {
				value, effect, ok := d.value(t, name)
				require.False(t, ok, name)
				require.Contains(t, value, want, name)
				require.Contains(t, joined(d.Buys), name)
				require.Contains(t, joined(d.Buys), effect)
			}
			require.Contains(t, joined(append(d.Buys, d.Blind...)), tt.says)
			require.Greater(t, len(d.Buys), len(all.Buys))
			require.GreaterOrEqual(t, len(d.Blind), len(all.Blind))
		})
	}
}

func joined(sentences []string) (all string) {
	for _, s := range sentences {
		all += s + "\n"
	}
	return all
}
