package checkpoint

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

var (
	start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	curl  = process.Program{Path: "/usr/bin/curl", UID: 1000, Workload: "cron.service"}
	there = send.Destination{Protocol: send.TCP, Remote: netip.MustParseAddrPort("192.0.2.7:443")}
	file  = process.File{Device: 5, Inode: 7, Size: 9, Mode: 0o100755, Changed: 11, Born: 10}
)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func (c *clock) config() FirstSeenConfig {
	return FirstSeenConfig{Now: func() time.Time { return c.now }, MaxPrograms: 32, MaxDestinations: 32, MaxFiles: 32}
}

func TestFirstSeenSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first-seen")
	c := clock{start}
	f := NewFirstSeen(c.config())
	require.NoError(t, f.Load(path))
	require.Equal(t, Seen{First: start, Last: start, Initial: true}, f.SawProgram(curl))
	c.now = start.Add(3 * 24 * time.Hour)
	require.Equal(t, Seen{First: c.now, Last: c.now}, f.SawDestination(there))
	require.Equal(t, Seen{First: c.now, Last: c.now}, f.SawFile(file))
	require.NoError(t, f.Save())

	later := clock{c.now.Add(24 * time.Hour)}
	g := NewFirstSeen(later.config())
	require.NoError(t, g.Load(path))
	require.Equal(t, start, g.Since())
	require.Equal(t, Seen{First: start, Last: later.now, Initial: true}, g.SawProgram(curl))
	require.Equal(t, Seen{First: c.now, Last: later.now}, g.SawDestination(there))
	rebooted := file
	rebooted.Device = 6
	require.Equal(t, Seen{First: c.now, Last: later.now}, g.SawFile(rebooted), "the number of the device is not kept")
	changed := file
	changed.Changed++
	require.Equal(t, later.now, g.SawFile(changed).First)
	_, ok := g.Program(process.Program{Path: "/bin/never"})
	require.False(t, ok)
	seen, ok := g.Program(curl)
	require.True(t, ok)
	require.Equal(t, start, seen.First)
}

func TestFirstSeenWithAWrongClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first-seen")
	c := clock{start}
	f := NewFirstSeen(c.config())
	require.NoError(t, f.Load(path))
	f.SawProgram(curl)
	require.NoError(t, f.Save())
	early := clock{time.Unix(60, 0)}
	g := NewFirstSeen(early.config())
	require.NoError(t, g.Load(path), "a host that has lost its clock keeps its record")
	require.Equal(t, Seen{First: start, Last: start, Initial: true}, g.SawDestination(there))
}

func TestFirstSeenIsBounded(t *testing.T) {
	c := clock{start}
	f := NewFirstSeen(c.config())
	f.SawDestination(there)
	for n := range 1000 {
		c.now = c.now.Add(time.Hour)
		f.SawDestination(there)
		f.SawDestination(send.Destination{Protocol: send.UDP, Remote: netip.AddrPortFrom(there.Remote.Addr(), uint16(n))})
		f.SawProgram(process.Program{UID: uint32(n)})
		f.SawFile(process.File{Inode: uint64(n)})
		require.LessOrEqual(t, len(f.destinations.at), 32)
		require.LessOrEqual(t, len(f.programs.at), 32)
		require.LessOrEqual(t, len(f.files.at), 32)
	}
	seen, ok := f.Destination(there)
	require.True(t, ok, "what is seen again and again stays")
	require.Equal(t, start, seen.First)
	_, ok = f.Program(process.Program{UID: 999})
	require.True(t, ok)
}

func TestFirstSeenIsSavedNowAndThen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first-seen")
	synctest.Test(t, func(t *testing.T) {
		f := NewFirstSeen(FirstSeenConfig{})
		require.NoError(t, f.Load(path))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var failures []error
		go func() { defer close(done); f.Run(ctx, func(err error) { failures = append(failures, err) }) }()
		f.SawProgram(curl)
		time.Sleep(saveEvery + time.Second)
		synctest.Wait()
		written, err := os.Stat(path)
		require.NoError(t, err)
		time.Sleep(10 * saveEvery)
		synctest.Wait()
		same, err := os.Stat(path)
		require.NoError(t, err)
		require.True(t, os.SameFile(written, same), "nothing has changed")

		f.SawProgram(process.Program{Path: "/late"})
		cancel()
		<-done
		require.Empty(t, failures)
		g := NewFirstSeen(FirstSeenConfig{})
		require.NoError(t, g.Load(path))
		_, ok := g.Program(process.Program{Path: "/late"})
		require.True(t, ok)
	})
}

func TestFirstSeenOfADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first-seen")
	require.NoError(t, os.WriteFile(path, []byte("nonsense"), 0o600))
	c := clock{start}
	f := NewFirstSeen(c.config())
	require.ErrorIs(t, f.Load(path), ErrDamaged)
	require.True(t, f.SawProgram(curl).Initial)
	require.NoError(t, f.Save(), "and goes on")
	require.ElementsMatch(t, []string{"first-seen", "first-seen.damaged"}, names(t, path))
}

func TestFirstSeenKeptNowhere(t *testing.T) {
	f := NewFirstSeen(FirstSeenConfig{})
	f.SawProgram(curl)
	require.NoError(t, f.Save())
}

func FuzzFirstSeen(f *testing.F) {
	var b bytes.Buffer
	c := clock{start}
	full := NewFirstSeen(c.config())
	full.SawProgram(curl)
	full.SawDestination(there)
	full.SawFile(file)
	full.changed = true
	r, _ := full.record()
	require.NoError(f, r.encode(&b))
	f.Add(b.Bytes())
	f.Add([]byte(`{"since":1,"programs":[{"first":2,"last":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		one := NewFirstSeen(c.config())
		if one.decode(1, bytes.NewReader(text)) != nil {
			require.Empty(t, one.programs.at)
			require.Equal(t, start, one.Since())
			return
		}
		require.LessOrEqual(t, len(one.programs.at)+len(one.destinations.at)+len(one.files.at), 96)
		one.changed = true
		r, _ := one.record()
		var again bytes.Buffer
		require.NoError(t, r.encode(&again))
		two := NewFirstSeen(c.config())
		require.NoError(t, two.decode(1, &again))
		require.Equal(t, one.destinations.at, two.destinations.at)
		require.Equal(t, one.files.at, two.files.at)
		require.Equal(t, one.Since(), two.Since())
	})
}
