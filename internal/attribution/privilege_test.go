package attribution

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// nobodyUID is the user without rights, by custom.
const nobodyUID = 65534

// sight is what a helper without privilege reports.
type sight struct {
	Own, Other process.Program
	Stats      Stats
}

// TestWithoutPrivilege: an ordinary user sees which processes there are, but only the descriptors of its own.
func TestWithoutPrivilege(t *testing.T) {
	need.Root(t)
	_, sockets := holding(t, 1, "/bin/sleep")
	cmd := helper("look", strconv.FormatUint(sockets[0].Inode, 10))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyUID, Gid: nobodyUID}}
	var got sight
	report(t, cmd, &got)
	self, err := os.Executable()
	require.NoError(t, err)
	require.Equal(t, self, got.Own.Path)
	require.EqualValues(t, nobodyUID, got.Own.UID)
	require.Equal(t, process.Program{}, got.Other, "unattributed, and not taken for the kernel's although it is root's")
	require.Positive(t, got.Stats.Unreadable)
	require.EqualValues(t, maxSearches, got.Stats.FullScans, "then it gave up")
	require.False(t, got.Stats.Hidden)
}

// TestWithHidepid: the processes of others are not even listed, or listed and closed.
func TestWithHidepid(t *testing.T) {
	need.Root(t)
	_, sockets := holding(t, 1, "/bin/sleep")
	for mode, refusals := range map[string]int{"2": 0, "1": 1} { // what is not listed cannot refuse
		cmd := inNamespaces(helper("hidden", strconv.FormatUint(sockets[0].Inode, 10), mode), syscall.CLONE_NEWNS|syscall.CLONE_NEWPID)
		var got sight
		report(t, cmd, &got)
		require.EqualValues(t, nobodyUID, got.Own.UID)
		require.Equal(t, process.Program{}, got.Other)
		require.True(t, got.Stats.Hidden)
		require.Equal(t, refusals, got.Stats.Unreadable, "hidepid=%s", mode)
	}
}

// lookAround is a helper that looks for the owners of a socket of its own and of one of root's.
func lookAround() error {
	inode, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		return err
	}
	r, err := New(Config{Share: 1, FullScanEvery: 1})
	if err != nil {
		return err
	}
	var got sight
	own, err := openOne()
	if err != nil {
		return err
	}
	_, got.Own, _ = r.Owner(own, 0)
	other := send.Socket{Cookie: 1, Inode: inode, Protocol: send.UDP}
	for range 2 * maxSearches {
		r.nextScan.Store(0)
		_, got.Other, _ = r.Owner(other, 0)
	}
	got.Stats = r.Stats()
	return print(got)
}

// openOne opens a UDP socket and describes it as a source would.
func openOne() (send.Socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return send.Socket{}, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return send.Socket{Cookie: 2, Inode: st.Ino, UID: uint32(os.Getuid()), Protocol: send.UDP}, err
}

// hideAndLook is a helper that mounts /proc as a careful administrator would, and looks around as nobody.
func hideAndLook() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, "hidepid="+os.Args[2]); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	cmd := helper("look", os.Args[1])
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyUID, Gid: nobodyUID}}
	return cmd.Run()
}
