package attribution

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

// program makes an image with a command line of that length.
func program(path string, length int) *image {
	return &image{info: process.Info{Program: process.Program{Path: path}, Cmdline: strings.Repeat("x", length)}}
}

func newLineage(limit, text int) *lineage { return &lineage{limit: limit, textLimit: text} }

// account counts what a lineage holds the slow way.
func account(t testing.TB, l *lineage) (count, text int) {
	images := make(map[*image]int)
	hold := func(i *image) {
		if i != nil {
			images[i]++
		}
	}
	for pid, k := range l.byPID {
		for later := (*kin)(nil); k != nil; later, k = k, k.former {
			require.Equal(t, pid, k.id.PID)
			require.False(t, later != nil && k.ended == 0, "an earlier life has ended")
			require.True(t, k.ended == 0 || k.queued, "what has ended will be forgotten")
			count++
			hold(k.image)
			hold(k.parent.image)
			hold(k.grandparent.image)
		}
	}
	for i, holders := range images {
		require.Equal(t, holders, i.holders)
		text += textOf(i.info)
	}
	return count, text
}

func TestAncestry(t *testing.T) {
	l := newLineage(100, 1<<20)
	cron := l.begin(process.ID{PID: 10, StartTicks: 1}, 0)
	l.show(cron, program("/usr/sbin/cron", 4), 1)
	l.fork(20, 10, 5*tick)
	l.show(l.living(20), program("/bin/sh", 2), 6*tick)
	l.fork(30, 20, 7*tick)
	l.end(l.living(20), 8*tick)
	l.show(l.living(30), program("/usr/bin/curl", 9), 9*tick)
	l.end(l.living(30), 10*tick)
	l.fork(20, 10, 11*tick)
	l.expire(9 * tick)
	info := l.at(30, 9*tick).info()
	require.Equal(t, process.ID{PID: 30, StartTicks: 7}, info.ID)
	require.Equal(t, "/usr/bin/curl", info.Program.Path)
	require.Equal(t, process.ID{PID: 20, StartTicks: 5}, info.Parent, "not the one that has its PID now")
	require.Equal(t, "/bin/sh", info.ParentPath)
	require.Equal(t, "xx", info.ParentCmdline)
	require.Equal(t, "/usr/sbin/cron", info.GrandparentPath)
	require.True(t, info.Exited)
}

func TestLivesOfOnePID(t *testing.T) {
	l := newLineage(100, 1<<20)
	first := l.fork(7, 1, 100*tick)
	second := l.fork(7, 1, 200*tick)
	require.Equal(t, 200*tick, first.ended, "its end was not reported")
	l.end(second, 300*tick)
	third := l.fork(7, 1, 400*tick)
	tests := []struct {
		name string
		at   int64
		want *kin
	}{
		{"before all", 50 * tick, nil}, {"first", 150 * tick, first}, {"second", 200 * tick, second},
		{"after the second", 350 * tick, second}, {"third", 500 * tick, third}, {"now", 0, third},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Same(t, tt.want, l.at(7, tt.at)) })
	}
	require.True(t, second.is(200))
	require.True(t, second.is(199), "the report of the fork may come a tick late")
	require.False(t, second.is(201), "but not early")
	l.expire(250 * tick)
	require.Nil(t, l.at(7, 150*tick))
	require.Same(t, second, l.at(7, 250*tick))
	require.Same(t, third, l.living(7))
}

// TestEndOfTheFirstThread: the process goes on, and is the same one.
func TestEndOfTheFirstThread(t *testing.T) {
	l := newLineage(100, 1<<20)
	k := l.fork(7, 1, 100*tick)
	l.end(k, 150*tick)
	require.Same(t, k, l.identify(7, &procfs.PIDStat{StartTicks: 100, State: 'Z', Threads: 2}))
	require.Same(t, k, l.living(7))
	l.expire(1000 * tick)
	require.Same(t, k, l.living(7), "its end was taken back")
	l.end(k, 2000*tick)
	require.Same(t, k, l.identify(7, &procfs.PIDStat{StartTicks: 100, State: 'Z', Threads: 1}))
	require.Nil(t, l.living(7), "a zombie does not come back")
	count, _ := account(t, l)
	require.Equal(t, l.count, count)
}

func TestLineageIsBounded(t *testing.T) {
	l := newLineage(64, 64<<10)
	for i := range int64(10_000) { // each the child of the one before
		k := l.fork(int32(2+i), int32(1+i), i*tick)
		l.show(k, program("/bin/worm", 4000), i*tick)
		if i%3 > 0 {
			l.end(k, i*tick)
		}
		require.LessOrEqual(t, l.count, 64)
		require.LessOrEqual(t, l.text, 64<<10)
	}
	count, text := account(t, l)
	require.Equal(t, count, l.count)
	require.Equal(t, text, l.text)
	require.EqualValues(t, 10_000, uint64(count)+l.evicted)
	require.LessOrEqual(t, len(l.ended), 10_000)
	l.expire(1 << 62)
	require.Empty(t, l.ended)
}

// FuzzLineage plays events in any order, as they may come after losses: the account stays right and the limits hold.
func FuzzLineage(f *testing.F) {
	f.Add([]byte{0, 2, 1, 1, 2, 0, 0, 3, 2, 2, 2, 0, 3, 3, 0, 4, 9, 0})
	f.Fuzz(func(t *testing.T, events []byte) {
		l := newLineage(8, 2000)
		at := tick
		for ; len(events) >= 3; events = events[3:] {
			at += tick
			pid, other := int32(events[1]%16), int32(events[2]%16)
			switch events[0] % 5 {
			case 0:
				l.fork(pid, other, at)
			case 1:
				if k := l.living(pid); k != nil {
					l.show(k, program(fmt.Sprint(other), int(events[2])), at)
				}
			case 2:
				if k := l.living(pid); k != nil {
					l.end(k, at)
				}
			case 3:
				l.identify(pid, &procfs.PIDStat{StartTicks: uint64(events[2]), State: "SZ"[events[1]>>7], Parent: other})
			case 4:
				l.expire(at - int64(events[2])*tick)
			}
			if k := l.at(pid, at); k != nil && k.image != nil {
				require.Equal(t, pid, k.info().ID.PID)
			}
		}
		count, text := account(t, l)
		require.Equal(t, count, l.count)
		require.Equal(t, text, l.text)
		require.LessOrEqual(t, count, 8)
		require.LessOrEqual(t, text, 2000)
	})
}

// BenchmarkForkAndExit is what a witnessed life costs beside the two events themselves; a map entry made and deleted, with
// the same fields, as the yardstick.
func BenchmarkForkAndExit(b *testing.B) {
	b.Run("lineage", func(b *testing.B) {
		l := newLineage(8192, 1<<20)
		l.show(l.begin(process.ID{PID: 1, StartTicks: 1}, 0), program("/bin/sh", 20), 1)
		at := tick
		b.ReportAllocs()
		for b.Loop() {
			at++
			l.end(l.fork(2+int32(at%30000), 1, at), at)
		}
	})
	b.Run("map", func(b *testing.B) {
		m := make(map[int32]*kin)
		at := int64(0)
		b.ReportAllocs()
		for b.Loop() {
			at++
			m[int32(at%30000)] = &kin{born: at}
			delete(m, int32(at%30000)-8192)
		}
	})
}
