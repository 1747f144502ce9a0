package source

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRendezvous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rendezvous
		met := make(chan bool, 2)
		wait := func() { met <- r.wait(time.Minute, func() {}) }

		go wait()
		synctest.Wait()
		require.True(t, r.awaited())
		release := r.take()
		require.False(t, r.awaited())
		go wait() // too late for this time
		synctest.Wait()
		release()
		synctest.Wait()
		require.True(t, <-met)
		require.Empty(t, met)
		require.True(t, r.awaited())
		r.take()()
		require.True(t, <-met)

		go wait()
		require.False(t, <-met, "nobody came")

		go wait()
		synctest.Wait()
		r.end()
		<-met
		require.False(t, r.wait(time.Minute, func() { t.Error("nobody is there to be woken") }))
	})
}
