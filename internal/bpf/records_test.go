package bpf

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestWhoSleepsIsWoken: what a known stream sends ends the wait of a reader that sleeps, and not of one that does not.
func TestWhoSleepsIsWoken(t *testing.T) {
	tracer := trace(t, Config{Sends: true, Cgroup: cgroup2(t)})
	from, to := rawPair(t, "udp")
	at, err := unix.Getsockname(to)
	require.NoError(t, err)
	port := uint16(at.(*unix.SockaddrInet4).Port)
	buffer := make([]byte, 8)
	send := func() error {
		_, err1 := unix.Write(from, buffer)
		_, err2 := unix.Read(to, buffer)
		return errors.Join(err1, err2)
	}
	var e Event
	// sent sends once the reader has come to wait, and returns how long it was until the record was there, at most that long.
	sent := func(atMost time.Duration) time.Duration {
		began := time.Now()
		require.NoError(t, tracer.SetDeadline(began.Add(atMost)))
		done := make(chan error, 1)
		time.AfterFunc(50*time.Millisecond, func() { done <- send() })
		for {
			ok, err := tracer.Next(&e)
			require.NoError(t, err)
			require.True(t, ok || time.Since(began) < 2*patienceOfReader, "there is no record at all")
			if ok && e.Kind == Sent && e.Remote.Port() == port {
				require.NoError(t, <-done)
				return time.Since(began)
			}
		}
	}
	sent(patienceOfReader) // the stream is known now

	tracer.Sleep(true)
	for range 10 {
		require.Less(t, sent(patienceOfReader), patienceOfReader)
	}
	tracer.Sleep(false)
	require.Eventually(t, func() bool { // records of others wake it too
		const short = 200 * time.Millisecond
		return sent(short) >= short
	}, patienceOfReader, time.Millisecond)
}

const patienceOfReader = 20 * time.Second
