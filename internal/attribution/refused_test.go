package attribution

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/procevent"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// told is what a helper found out that listened for process events.
type told struct {
	Active, Silent, Owned bool
	Errno                 syscall.Errno
	Refused               string
}

// listenAndTell is the helper: it listens, and looks for its own socket.
func listenAndTell() error {
	r, err := New(Config{Share: 1})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitAtMost)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var e Events
	for ; !e.Active && e.Refused == nil && ctx.Err() == nil; e = r.Stats().Events {
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
	said := told{Active: e.Active, Silent: errors.Is(e.Refused, procevent.ErrSilent), Errno: e.Errno()}
	if e.Refused != nil {
		said.Refused = e.Refused.Error()
	}
	_, _, said.Owned = r.Owner(send.Socket{Cookie: 1}, int32(os.Getpid()))
	cancel()
	return errors.Join(<-done, print(said))
}

// TestRefusedEvents: without process events owners are found all the same, and the reason is told.
func TestRefusedEvents(t *testing.T) {
	t.Run("another user namespace", func(t *testing.T) {
		cmd := helper("refused")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
		var said told
		report(t, cmd, &said)
		t.Logf("%+v", said)
		require.False(t, said.Active)
		require.True(t, said.Silent || said.Errno != 0, "a reason")
		require.True(t, said.Owned)
	})
	t.Run("an ordinary user", func(t *testing.T) {
		need.Root(t)
		cmd := helper("refused")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		var said told
		report(t, cmd, &said)
		t.Logf("%+v", said)
		require.NotEqual(t, said.Active, said.Errno != 0, "granted (6.6 and later), or refused with an error number")
		require.True(t, said.Owned)
	})
	t.Run("a copy of proc", func(t *testing.T) {
		r := resolver(t, Config{Root: newProc(t).root})
		ran(t, r)
		require.Eventually(t, func() bool { return r.Stats().Events.Refused != nil }, waitAtMost, pollEvery)
		require.ErrorIs(t, r.Stats().Events.Refused, errOtherPIDs)
		require.Zero(t, r.Stats().Events.Errno())
	})
}
