package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/printed"

	"github.com/beaconwatch/beaconwatch/test/need"
)

const unit = "../../extension/packaging/beaconwatch.service"

// TestUnitStartsUnderItsOwnLimits runs the unit's command with the limits, capabilities, address families and system calls that the
// unit leaves it, and finds it at the level it has without them, and as urgent at L1 as it is meant to be there.
func TestUnitStartsUnderItsOwnLimits(t *testing.T) {
	if os.Geteuid() != 0 {
		need.Skip(t, "root is needed to drop capabilities")
	}
	tool(t, "systemd-analyze")
	binary := filepath.Join(t.TempDir(), "beaconwatch.ext")
	build := exec.Command("go", "build", "-o", binary, "../../extension")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	for _, level := range []string{"L3", "L1"} {
		free := levelOf(t, binary, level, false)
		require.Equal(t, free, levelOf(t, binary, level, true))
	}
}

// levelOf starts the sensor, confined or not, and returns its level and what was refused.
func levelOf(t *testing.T, binary, level string, confined bool) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bw") // private, and short: a socket's path may have 97 characters
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	args := []string{binary, "--listen_socket=" + socket, "--state_dir=" + dir, "--socket=", "--level=" + level}
	cmd := exec.Command(args[0], args[1:]...)
	settings, err := unitSettings(unit)
	require.NoError(t, err)
	var in group
	if confined {
		in = newGroup(t, settings)
		self, err := os.Executable()
		require.NoError(t, err)
		path, err := filepath.Abs(unit)
		require.NoError(t, err)
		cmd = exec.Command(self, args...)
		cmd.Env = append(os.Environ(), roleVariable+"=confined", "BEACONWATCH_UNIT="+path, "BEACONWATCH_GROUPS="+in.memory+":"+in.tasks)
	}
	var said strings.Builder
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), said.String())
	}()
	// without a socket to ask, query would watch by itself
	require.Eventually(t, func() bool { _, err := os.Stat(socket); return err == nil }, patience, 20*time.Millisecond)
	var rows []map[string]string
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := exec.Command(binary, "query", "--listen_socket="+socket, "--json", `SELECT level, tcp_source, udp_source,
			(SELECT group_concat(source || ' ' || protocol || ' ' || coalesce(refused_errno, 0)) FROM beacon_sensor_sources WHERE active) AS sources,
			process_events, last_error FROM beacon_sensor_status`).Output()
		require.NoError(c, err)
		rows, err = printed.Rows(out)
		require.NoError(c, err)
		require.NotEqual(c, "none", rows[0]["level"])
		require.NotEmpty(c, rows[0]["udp_source"])
	}, patience, 100*time.Millisecond, "it does not start: %s", &said)
	require.NotContains(t, said.String(), "operation not permitted")
	if confined {
		in.requireWithin(t, cmd.Process.Pid)
		if granted(t, settings, "LimitNICE", cmd.Process.Pid) && level == "L1" {
			nice, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid)
			require.NoError(t, err)
			require.Equal(t, -10, 20-nice, "the system call answers 20 less it")
		}
		granted(t, settings, "LimitMEMLOCK", cmd.Process.Pid)
	}
	return rows[0]
}

// TestUnitIsSound asks systemd itself, without running one.
func TestUnitIsSound(t *testing.T) {
	tool(t, "systemd-analyze")
	r := newRoot(t)
	r.run(t, "dpkg", "-i", r.bring(t, packageFile(t, after, "amd64", "deb")))
	out := r.run(t, "systemd-analyze", "verify", "/usr/lib/systemd/system/beaconwatch.service")
	require.NotContains(t, out, "beaconwatch", "verify complains: %s", out)

	report := r.run(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", "/usr/lib/systemd/system/beaconwatch.service")
	found := regexp.MustCompile(`Overall exposure level for beaconwatch.service: ([0-9.]+)`).FindStringSubmatch(report)
	require.NotNil(t, found, report)
	exposure, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	t.Logf("systemd's exposure level, 0 safe to 10: %.1f", exposure)
	require.LessOrEqual(t, exposure, 4.0)
}
