package enrichment

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ended is a process that has ended, of one of as many programs.
func ended(n int) process.Info {
	return process.Info{ID: process.ID{PID: int32(1<<22 + n), StartTicks: 1}, Program: process.Program{Path: "/none/" + itoa(n)},
		Executable: process.File{Inode: uint64(n), Size: 1, Mode: 0o100755}}
}

func TestMemoryIsBounded(t *testing.T) {
	e, err := New(Config{MaxProcesses: 8, MaxFiles: 4, MaxQueue: 100})
	require.NoError(t, err)
	x := examiner{Enricher: e}
	for n := range 100 {
		x.examine(ended(n))
		require.LessOrEqual(t, e.Stats().Processes, 8)
		require.LessOrEqual(t, e.Stats().Files, 4)
	}
	require.Len(t, e.subjects.order, 8)
	f, ok := e.Facts(ended(99).ID)
	require.True(t, ok)
	require.EqualValues(t, 99, f.Inode)
	_, ok = e.Facts(ended(0).ID)
	require.False(t, ok)
}

// TestFilesInUseStay: what is used goes last.
func TestFilesInUseStay(t *testing.T) {
	e, err := New(Config{MaxFiles: 4})
	require.NoError(t, err)
	x := examiner{Enricher: e}
	for n := range 50 {
		x.examine(ended(0))
		x.examine(ended(n))
	}
	require.NotNil(t, e.files.get(fileKey{file: ended(0).Executable, path: ended(0).Program.Path}))
}

// TestNoRoomInTheQueue: meeting never waits; what was dropped is examined when somebody asks.
func TestNoRoomInTheQueue(t *testing.T) {
	known := map[process.ID]process.Info{}
	e, err := New(Config{MaxQueue: 4, Process: func(id process.ID) (process.Info, bool) {
		i, ok := known[id]
		return i, ok
	}})
	require.NoError(t, err)
	for n := range 10 {
		known[ended(n).ID] = ended(n)
		e.Meet(ended(n))
	}
	require.EqualValues(t, 6, e.Stats().Dropped)
	require.Equal(t, 4, e.Stats().Queued)
	_, ok := e.Facts(ended(9).ID)
	require.False(t, ok)
	require.Equal(t, 4, e.Stats().Queued, "not while there is little room")
	x := examiner{Enricher: e}
	for range 4 {
		x.examine(<-e.queue)
	}
	_, ok = e.Facts(ended(9).ID)
	require.False(t, ok)
	x.examine(<-e.queue)
	_, ok = e.Facts(ended(9).ID)
	require.True(t, ok)
	_, ok = e.Facts(ended(77).ID)
	require.False(t, ok)
	require.Zero(t, len(e.queue), "nobody knows it")
}

// TestOpenFilesAreBounded: files that wait for inspection are not all held open.
func TestOpenFilesAreBounded(t *testing.T) {
	e, err := New(Config{})
	require.NoError(t, err)
	x := examiner{Enricher: e}
	for n := range maxOpen + 10 {
		e.inspect <- inspection{file: newFile(fileKey{path: itoa(n)})}
	}
	info := start(t, sleeper(install(t, "/bin/sleep", filepath.Join(t.TempDir(), "x"))))
	before := descriptors(t)
	x.examine(info)
	require.Equal(t, before, descriptors(t))
}

func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestFactsAreCheap(t *testing.T) {
	e, err := New(Config{})
	require.NoError(t, err)
	x := examiner{Enricher: e}
	x.examine(ended(1))
	id := ended(1).ID
	require.Zero(t, testing.AllocsPerRun(100, func() { e.Facts(id) }))
}

// TestExaminationGivesWay: the same work is paid for with eight times as long a pause, and no longer than that when it need not be.
func TestExaminationGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Share: 0.02})
		require.NoError(t, err)
		work := func() time.Duration {
			began := time.Now()
			for range 100 {
				e.pause(context.Background(), e.examining, 10*time.Millisecond)
			}
			return time.Since(began)
		}
		work() // what was saved up
		require.Equal(t, 50*time.Second, work().Round(time.Millisecond))
		e.Ease(3)
		require.Equal(t, 400*time.Second, work().Round(time.Millisecond))
		e.Ease(0)
		require.Equal(t, 50*time.Second, work().Round(time.Millisecond))
	})
}
