package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// nobody is the user without privilege of these tests.
const nobody = 65534

// TestCommandsOfAnOrdinaryUserSayWhatTheyCannotSee in one sentence, without a log of what the kernel refused.
func TestCommandsOfAnOrdinaryUserSayWhatTheyCannotSee(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		need.Skip(t, "root is needed to become somebody else")
	}
	ask := func(credential *syscall.Credential, flags ...string) string {
		dir := room(t)
		require.NoError(t, os.Chown(dir, nobody, nobody))
		cmd := exec.Command(beaconwatch(), append(append(append([]string{"query", "--own_sensor", "--for", "1s"}, placeIn(dir)...), "--level", "L3"), flags...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		var said strings.Builder
		cmd.Stderr = &said
		require.NoError(t, cmd.Run(), &said)
		return said.String()
	}
	ordinary := &syscall.Credential{Uid: nobody, Gid: nobody}
	said := ask(ordinary)
	require.Equal(t, 3, strings.Count(said, "\n"), said)
	require.Contains(t, said, "only processes of your own user are named")
	said = ask(ordinary, "--log_level", "warn")
	require.Contains(t, said, "level=WARN", "whoever wants the log gets it")
	require.NotContains(t, said, "rlimit", "no library's advice to programmers")
	require.NotContains(t, ask(nil), "only processes of your own user")
}

// TestAnotherUserBuildsTheSame: make knows the commit in somebody else's tree, or it would link, and write, another binary.
func TestAnotherUserBuildsTheSame(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		need.Skip(t, "root is needed to become somebody else")
	}
	tree := room(t)
	for _, command := range []string{"cp ../../Makefile " + tree, "git -C " + tree + " init -q", "git -C " + tree + " -c user.name=a -c user.email=a@example.org " +
		"commit -q --allow-empty -m a", "chmod -R go+rX " + tree} {
		out, err := exec.Command("sh", "-c", command).CombinedOutput()
		if err != nil {
			need.Skip(t, "no tree of git's: %v: %s", err, out)
		}
	}
	show := func(credential *syscall.Credential) string {
		cmd := exec.Command("make", "-n", "build")
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), "HOME=/nonexistent")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	root := show(nil)
	require.NotContains(t, root, "main.commit=unknown")
	require.Equal(t, root, show(&syscall.Credential{Uid: nobody, Gid: nobody}))
}

// TestWithoutPrivilege runs the sensor as an ordinary user: it names its own processes, counts what others send without
// guessing who they are, and says so.
func TestWithoutPrivilege(t *testing.T) {
	t.Parallel()
	host, outside := network(t)
	credential := &syscall.Credential{Uid: nobody, Gid: nobody}
	dir := room(t)
	require.NoError(t, os.Chown(dir, nobody, nobody))
	cmd := exec.Command(beaconwatch(), placeIn(dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	s := &sensor{child: launch(t, host, cmd), dir: dir, socket: filepath.Join(dir, "sock")}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		info, err := os.Stat(s.socket)
		require.NoError(c, err)
		require.Equal(c, os.FileMode(0o600), info.Mode().Perm())
	}, patience, 20*time.Millisecond)
	// root does not trust a socket of another user: the questions come from that user as well
	query := func(t require.TestingT, sql string) []map[string]string { return queryAs(t, credential, s, sql) }

	beat := simulate.SenderConfig{Shape: simulate.Beat, Network: "tcp", Address: sink(t, outside, public4), Interval: 400 * time.Millisecond,
		Size: 90, Count: 10, For: time.Minute}
	own, foreign := newActor(t, host, "own"), newActor(t, host, "foreign")
	own.attr.Credential = credential
	own.send(t, part{SenderConfig: beat})
	foreign.send(t, part{SenderConfig: beat})
	own.finish(t, patience)
	foreign.finish(t, patience)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rows := query(c, "SELECT path, uid, pid > 0 AS named, sum(bytes_sent) AS bytes FROM process_outbound_stats GROUP BY path ORDER BY path")
		require.Equal(c, []map[string]string{
			{"path": "", "uid": "0", "named": "0", "bytes": "900"},
			{"path": own.path, "uid": "65534", "named": "1", "bytes": "900"},
		}, rows)
	}, patience, 200*time.Millisecond)
	status := query(t, "SELECT * FROM beacon_sensor_status")[0]
	require.Equal(t, "L0", status["level"])
	require.GreaterOrEqual(t, number(t, status, "unattributed_sends"), 10.)
	require.Positive(t, number(t, status, "unreadable_processes"), "it says whose descriptors it may not read")
	require.Zero(t, s.stop(t))
}
