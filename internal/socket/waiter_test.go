package socket

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// pair returns the two ends of a datagram socket and what waits at the first.
func pair(t *testing.T) (w *Waiter, near, far int) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	w, err = NewWaiter(ends[0], "pair")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(ends[1])) })
	return w, ends[0], ends[1]
}

func TestWait(t *testing.T) {
	w, _, far := pair(t)
	require.NoError(t, w.SetDeadline(time.Unix(1, 0)))
	ready, err := w.Wait()
	require.NoError(t, err)
	require.False(t, ready, "the deadline has passed")

	require.NoError(t, w.SetDeadline(time.Time{}))
	_, err = unix.Write(far, []byte("x"))
	require.NoError(t, err)
	for range 2 { // waiting takes nothing away
		ready, err = w.Wait()
		require.NoError(t, err)
		require.True(t, ready)
	}
	require.False(t, w.Overrun())

	w.Interrupt()
	ready, err = w.Wait()
	require.NoError(t, err)
	require.False(t, ready, "interrupted")

	require.NoError(t, w.Close())
	_, err = w.Wait()
	require.ErrorContains(t, err, "pair: wait: ")
	require.ErrorContains(t, w.Close(), "pair: close: ")
	require.ErrorContains(t, w.SetDeadline(time.Time{}), "pair: deadline: ")
}

func TestFilter(t *testing.T) {
	w, near, far := pair(t)
	defer w.Close()
	require.NoError(t, Filter(near, []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'x', SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1 << 10},
	}))
	for _, text := range []string{"yes", "xyz"} {
		_, err := unix.Write(far, []byte(text))
		require.NoError(t, err)
	}
	b := make([]byte, 8)
	n, err := unix.Read(near, b)
	require.NoError(t, err)
	require.Equal(t, "xyz", string(b[:n]))
	require.ErrorContains(t, Filter(near, []bpf.Instruction{bpf.RetConstant{}, bpf.LoadAbsolute{Off: 0, Size: 3}}), "instruction 2")
}

func TestReceiveBuffer(t *testing.T) {
	w, near, _ := pair(t)
	defer w.Close()
	SetReceiveBuffer(near, 32<<10)
	size, err := unix.GetsockoptInt(near, unix.SOL_SOCKET, unix.SO_RCVBUF)
	require.NoError(t, err)
	require.Equal(t, 64<<10, size, "the kernel doubles it, socket(7)")
	require.Zero(t, Drops(near))
}
