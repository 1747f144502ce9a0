package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/history"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// keeper is a store with its histories, on the time line of a boot.
func keeper(t testing.TB, boot string, offset time.Duration) (*history.Store, *Histories) {
	store, err := history.New(history.Config{})
	require.NoError(t, err)
	h, err := NewHistories(HistoriesConfig{Store: store, Boot: boot, Offset: func() time.Duration { return offset },
		Known: func(id process.ID) (Known, bool) {
			return Known{Info: process.Info{Cmdline: fmt.Sprint("agent of ", id.PID), Name: "agent"},
				Facts: process.Facts{Package: "agent", Examined: true}}, id.PID != 9
		}})
	require.NoError(t, err)
	return store, h
}

func beat(store *history.Store, path string, pid int32, to string, at time.Duration) {
	store.Record(&history.Key{Program: process.Program{Path: path, UID: 33, Workload: "system.slice/a.service"}},
		process.ID{PID: pid, StartTicks: 5}, &send.Send{Kind: send.Data, At: boottime.Time(at), Bytes: 151, Sends: 1,
			Socket: send.Socket{Cookie: 77, Protocol: send.TCP, Local: netip.MustParseAddrPort("10.0.0.5:40000"), Remote: netip.MustParseAddrPort(to)}})
}

func filled(store *history.Store, beats int) {
	for i := range beats {
		at := time.Hour + time.Duration(i)*time.Minute
		beat(store, "/opt/beacon", 7, "192.0.2.1:443", at)
		beat(store, "/opt/other", 9, "[2001:db8::1]:8443", at+time.Second)
		beat(store, "/opt/beacon", 8, "192.0.2.2:443", at+2*time.Second)
	}
}

// pairsOf are the bursts of each pair by program, destination and latest process.
func pairsOf(store *history.Store) map[string][]history.Burst {
	all := map[string][]history.Burst{}
	var v history.View
	store.Pairs(history.Filter{}, &v, func(v *history.View) {
		all[fmt.Sprint(v.Key, v.Destination, v.Latest, v.Socket, v.Totals)] = append([]history.Burst(nil), v.Bursts...)
	})
	return all
}

func TestHistoriesOutliveTheSensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "histories")
	store, h := keeper(t, "one", time.Hour)
	require.NoError(t, h.Load(path), "no file is a clean start")
	require.Zero(t, h.Saved())
	filled(store, 50)
	require.NoError(t, h.Save())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)

	again, h2 := keeper(t, "one", 2*time.Hour) // the wall clock was set, the boot is the same
	require.NoError(t, h2.Load(path))
	require.Equal(t, pairsOf(store), pairsOf(again))
	require.WithinDuration(t, h.Saved(), h2.Saved(), time.Second)
	known, ok := h2.Process(process.ID{PID: 7, StartTicks: 5})
	require.True(t, ok)
	require.Equal(t, "agent of 7", known.Info.Cmdline)
	require.Equal(t, "agent", known.Facts.Package)
	require.False(t, known.Info.Exited)
	_, ok = h2.Process(process.ID{PID: 9, StartTicks: 5})
	require.False(t, ok, "what was not known is not made up")
}

func TestHistoriesGoOnAcrossAReboot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "histories")
	const boot = 1_700_000_000 * time.Second
	store, h := keeper(t, "one", boot)
	require.NoError(t, h.Load(path))
	filled(store, 50)
	require.NoError(t, h.Save())

	again, h2 := keeper(t, "two", boot+3*time.Hour) // booted three hours later
	require.NoError(t, h2.Load(path))
	var v history.View
	seen := 0
	again.Pairs(history.Filter{Path: "/opt/other"}, &v, func(v *history.View) {
		seen++
		require.Len(t, v.Bursts, 50)
		require.Equal(t, boottime.Time(time.Hour+time.Second-3*time.Hour), v.Totals.First)
		require.InDelta(t, 49*time.Minute, v.Bursts[49].At.Sub(v.Bursts[0].At), float64(time.Millisecond))
		require.True(t, v.Latest.IsFormer())
	})
	require.Equal(t, 1, seen)
	known, ok := h2.Process(process.ID{PID: 7, StartTicks: 5}.Former())
	require.True(t, ok)
	require.True(t, known.Info.Exited, "it ended with its boot")
	_, ok = h2.Process(process.ID{PID: 7, StartTicks: 5})
	require.False(t, ok)

	require.NoError(t, h2.Save())
	third, h3 := keeper(t, "two", boot+3*time.Hour)
	require.NoError(t, h3.Load(path))
	require.Equal(t, pairsOf(again), pairsOf(third), "a file of restored histories is as good")
}

// TestADeathAtAnyByteLosesNoOldState ends the writing after each number of bytes, as a full disk or a kill would.
func TestADeathAtAnyByteLosesNoOldState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "histories")
	store, h := keeper(t, "one", 0)
	require.NoError(t, h.Load(path))
	filled(store, 3)
	require.NoError(t, h.Save())
	before := pairsOf(store)
	var whole bytes.Buffer
	filled(store, 6)
	require.NoError(t, h.encode(&whole))
	for n := range whole.Len() - len(time.RFC3339Nano) { // the time in the head has more or fewer digits each time
		err := historiesFormat.Write(path, func(to io.Writer) error { return h.encode(&stingy{to, n}) })
		require.ErrorIs(t, err, errFull)
		if n%50 != 0 {
			continue
		}
		again, h2 := keeper(t, "one", 0)
		require.NoError(t, h2.Load(path))
		require.Equal(t, before, pairsOf(again))
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, entries, 1, "nothing half-written is left")
	}
}

var errFull = errors.New("no space left")

// stingy writes n bytes and no more.
type stingy struct {
	to   io.Writer
	left int
}

func (s *stingy) Write(b []byte) (int, error) {
	if s.left -= len(b); s.left < 0 {
		return 0, errFull
	}
	return s.to.Write(b)
}

func TestHistoriesThatCannotBeReadAreSetAside(t *testing.T) {
	store, h := keeper(t, "one", 0)
	filled(store, 20)
	var contents bytes.Buffer
	require.NoError(t, h.encode(&contents))
	for name, spoil := range map[string]func([]byte) []byte{
		"cut in a record":    func(b []byte) []byte { return b[:len(b)-7] },
		"an unknown kind":    func(b []byte) []byte { return append(b, '?', 0) },
		"no head":            func(b []byte) []byte { return b[1:] },
		"empty":              func([]byte) []byte { return nil },
		"a record too long":  func(b []byte) []byte { return append(b, 'a', 0xff, 0xff, 0xff, 0x7f) },
		"bytes left over":    func(b []byte) []byte { return append(b, 'f', 40, 0) },
		"a pair of nobody's": func(b []byte) []byte { return append(b, 'a', 3, 1, 99, 6) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "histories")
			require.NoError(t, historiesFormat.Write(path, func(to io.Writer) error {
				_, err := to.Write(spoil(bytes.Clone(contents.Bytes())))
				return err
			}))
			again, h2 := keeper(t, "one", 0)
			err := h2.Load(path)
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, path+".damaged")
			require.FileExists(t, path+".damaged")
			require.Zero(t, again.Stats().Pairs, "it starts clean")
			filled(again, 2)
			require.NoError(t, h2.Save(), "and goes on")
		})
	}
}

func TestWithoutADiskItGoesOnInMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	store, h := keeper(t, "one", 0)
	require.NoError(t, h.Load(filepath.Join(dir, "histories")))
	filled(store, 2)
	require.ErrorContains(t, h.Save(), "histories are in memory only")
	require.Equal(t, 3, store.Stats().Pairs)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, h.Save(), "and is back when the disk is")
}

func FuzzHistories(f *testing.F) {
	store, h := keeper(f, "one", 0)
	filled(store, 3)
	var contents bytes.Buffer
	require.NoError(f, h.encode(&contents))
	f.Add(contents.Bytes())
	f.Add([]byte("h\x02{}a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, h2 := keeper(t, "two", time.Hour)
		if h2.decode(1, bytes.NewReader(b)) != nil {
			return
		}
		beat(again, "/opt/beacon", 7, "192.0.2.1:443", 5*time.Hour) // what was restored can be used
		pairsOf(again)
		again.Flows(history.Filter{}, func(*history.Flow) {})
		require.NoError(t, h2.encode(io.Discard))
	})
}

func BenchmarkRestore(b *testing.B) {
	store, err := history.New(history.Config{MaxPairs: 10_000, MaxBytes: 256 << 20})
	require.NoError(b, err)
	for i := range 257 {
		for p := range 10_000 {
			beat(store, fmt.Sprintf("/opt/agent-%d", p%100), int32(p%100+1), fmt.Sprintf("198.51.%d.%d:443", p/250, p%250),
				time.Hour+time.Duration(i)*time.Minute)
		}
	}
	path := filepath.Join(b.TempDir(), "histories")
	open := func(s *history.Store) *Histories {
		h, err := NewHistories(HistoriesConfig{Store: s, Boot: "one", Offset: func() time.Duration { return 0 }})
		require.NoError(b, err)
		return h
	}
	h := open(store)
	h.path = path
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, h.Save())
		}
	})
	size, err := os.Stat(path)
	require.NoError(b, err)
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(size.Size())
		for b.Loop() {
			again, err := history.New(history.Config{MaxPairs: 10_000, MaxBytes: 256 << 20})
			require.NoError(b, err)
			require.NoError(b, open(again).Load(path))
			require.Equal(b, 10_000, again.Stats().Pairs)
		}
	})
	b.Run("bare read", func(b *testing.B) { // the yardstick: the file, its checksum and nothing made of it
		b.SetBytes(size.Size())
		for b.Loop() {
			require.NoError(b, historiesFormat.Read(path, func(_ uint32, r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}))
		}
	})
}
