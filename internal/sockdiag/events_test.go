package sockdiag

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/test/need"
)

func subscribe(t *testing.T, cfg Config, groups ...Group) *Events {
	t.Helper()
	e, err := Subscribe(cfg, groups...)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPERM) {
		need.Skip(t, "sock_diag: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// await reads notices until wanted says so.
func await(t *testing.T, e *Events, wanted func(*Socket) bool) Socket {
	t.Helper()
	var s Socket
	require.NoError(t, e.SetDeadline(time.Now().Add(5*time.Second)))
	for {
		ready, err := e.Wait()
		require.NoError(t, err)
		require.True(t, ready, "the notice came in time")
		for {
			ok, err := e.Next(&s)
			require.NoError(t, err)
			if ok && wanted(&s) {
				return s
			}
			if !ok {
				break
			}
		}
	}
}

func TestNoNoticesOutsideTheGroups(t *testing.T) {
	e := subscribe(t, Config{}, TCPDestroyed)
	die := func() func(*Socket) bool {
		p := connect(t, "127.0.0.1:0", 1)[0]
		raw, err := p.client.SyscallConn()
		require.NoError(t, err)
		var cookie uint64
		require.NoError(t, raw.Control(func(fd uintptr) { cookie, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE) }))
		require.NoError(t, err)
		require.NoError(t, p.client.SetLinger(0)) // it is gone when Close returns
		require.NoError(t, p.client.Close())
		return func(s *Socket) bool { return s.Cookie == cookie }
	}
	await(t, e, die())
	require.NoError(t, e.Leave())
	other := subscribe(t, Config{}, TCPDestroyed)
	unheard := die()
	await(t, other, unheard) // the kernel tells of it some time later, to those who are there then
	require.NoError(t, e.Join())
	heard := die()
	await(t, e, func(s *Socket) bool {
		require.False(t, unheard(s))
		return heard(s)
	})
}

func TestADestroyedSocketGivesItsLastCounters(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			e := subscribe(t, Config{}, TCPDestroyed, TCP6Destroyed)
			p := connect(t, address, 1)[0]
			local, remote := p.local(), p.remote()
			_, err := p.client.Write(make([]byte, 4321))
			require.NoError(t, err)
			require.NoError(t, p.client.CloseWrite())
			p.server.Close()
			p.client.Close()
			s := await(t, e, func(s *Socket) bool { return s.Info.BytesSent == 4321 })
			require.Equal(t, Closed, s.State)
			require.Equal(t, local.Addr(), s.Local.Addr())
			require.Equal(t, remote, s.Remote)
			require.NotZero(t, s.Cookie)
		})
	}
}

func TestNoticesDroppedAreCounted(t *testing.T) {
	e := subscribe(t, Config{ReceiveBuffer: 1}, TCPDestroyed) // the kernel gives its least
	const n = 100
	for _, p := range connect(t, "127.0.0.1:0", n) {
		require.NoError(t, p.client.SetLinger(0))
		p.client.Close()
		p.server.Close()
	}
	require.Eventually(t, func() bool { return e.Drops() > 0 }, 5*time.Second, time.Millisecond)
	ready, err := e.Wait()
	require.NoError(t, err)
	require.True(t, ready)
	var s Socket
	_, err = e.Next(&s)
	require.ErrorIs(t, err, ErrOverrun)
	require.Eventually(t, func() bool { // what came before is still there
		ok, err := e.Next(&s)
		return err == nil && !ok
	}, 5*time.Second, time.Microsecond)
}

func TestWaitEndsAtItsDeadlineAndOnInterrupt(t *testing.T) {
	e := subscribe(t, Config{}, UDP6Destroyed)
	require.NoError(t, e.SetDeadline(time.Now().Add(time.Millisecond)))
	ready, err := e.Wait()
	require.NoError(t, err)
	require.False(t, ready)
	require.NoError(t, e.SetDeadline(time.Time{}))
	done := make(chan error)
	go func() {
		_, err := e.Wait()
		done <- err
	}()
	e.Interrupt()
	require.NoError(t, <-done)
	require.NoError(t, e.Close())
	_, err = e.Wait()
	require.Error(t, err)
}
