package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/attribution"
	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/config"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// TestEveryBriefProcessIsNamed: processes that live for a millisecond are named to the last one, those that could not be read in time by
// what the kernel told of them.
func TestEveryBriefProcessIsNamed(t *testing.T) {
	open := openExecutions(config.Default(), slog.New(slog.DiscardHandler))
	x := open()
	if x == nil {
		require.NotEqual(t, "1", os.Getenv("BEACONWATCH_REQUIRE_ALL"), "the kernel does not tell of executed programs")
		t.Skip("the kernel does not tell of executed programs")
	}
	require.NoError(t, x.Close())
	r, err := attribution.New(attribution.Config{Executions: open})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	require.Eventually(t, func() bool { return r.Stats().Events.Active }, 10*time.Second, time.Millisecond)
	want, err := filepath.EvalSymlinks("/bin/true")
	require.NoError(t, err)
	type shot struct {
		pid int
		at  boottime.Time
	}
	shots := make([]shot, 1000)
	for i := range shots {
		cmd := exec.Command("/bin/true", "shot")
		require.NoError(t, cmd.Start())
		shots[i] = shot{cmd.Process.Pid, boottime.Now()}
		require.NoError(t, cmd.Wait())
	}
	for i, s := range shots {
		id, program, ok := r.OwnerOf(&send.Send{Socket: send.Socket{Cookie: uint64(i + 1)}, Sender: int32(s.pid), At: s.at})
		require.True(t, ok, "%d: %+v", i, r.Stats().Events)
		require.Equal(t, want, program.Path)
		info, ok := r.Process(id)
		require.True(t, ok)
		require.Equal(t, "/bin/true shot", info.Cmdline)
	}
	t.Logf("%+v", r.Stats().Events)
}
