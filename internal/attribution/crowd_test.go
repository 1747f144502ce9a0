package attribution

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procevent"
)

// teller is where the kernel tells of one program after the other.
type teller struct{ next []Execution }

func (d *teller) Next(to *Execution) (ok bool, err error) {
	if ok = len(d.next) > 0; ok {
		*to, d.next = d.next[0], d.next[1:]
	}
	return ok, nil
}

func (d *teller) Close() error { return nil }

// TestAHundredThousandProcesses fork, execute a program, half of them with a long command line, send from a socket of their own, and end, each PID
// twice and more. What is remembered of them stays within the bounds that every sensor has, and so does the memory it takes; what
// was forgotten is counted.
func TestAHundredThousandProcesses(t *testing.T) {
	const processes, pids, parent = 100_000, 40_000, 2
	root := newProc(t)
	root.add(member{pid: parent, ticks: 1, exe: "/usr/sbin/hostile"})
	kernel := &teller{}
	r := resolver(t, Config{Root: root.root})
	w := &r.witness
	w.executions.from = kernel
	long := strings.Repeat("a", process.MaxText-100)
	before := liveHeap()
	within := func() Stats {
		s := r.Stats()
		grown := int64(liveHeap()-before) >> 20
		t.Logf("%d MiB more on the heap; %+v", grown, s)
		require.Less(t, grown, int64(24))
		require.LessOrEqual(t, s.Text, 6<<20)
		require.LessOrEqual(t, s.Events.Text, 6<<20)
		return s
	}
	at, named := sinceBoot(), 0
	for i := range processes {
		if i == processes/2 {
			require.Less(t, within().Processes, 2000, "4 KiB are kept of each")
			long = "" // so that more of them fit
		}
		pid := int32(3 + i%pids)
		at += 2 * tick
		w.handle(&procevent.Event{Kind: procevent.Fork, PID: pid, Parent: parent}, at)
		kernel.next = append(kernel.next, Execution{At: at, ID: process.ID{PID: pid, StartTicks: uint64(at / tick)}, Parent: parent, UID: 1000,
			Name: "x", Path: "/tmp/x", Args: []string{"x", fmt.Sprint(i), long}})
		w.handle(&procevent.Event{Kind: procevent.Exec, PID: pid}, at+1)
		w.handle(&procevent.Event{Kind: procevent.Exit, PID: pid}, at+3)
		if _, program, ok := r.OwnerOf(sent(int(pid), boottime.Time(at+2), uint64(1+i))); ok {
			require.Equal(t, "/tmp/x", program.Path)
			named++
		}
	}
	s := within()
	require.Equal(t, processes, named)
	require.Equal(t, 4096, s.Events.Kin)
	require.Equal(t, 4096, s.Processes)
	require.GreaterOrEqual(t, s.Events.Evicted, uint64(processes-4096))
	require.GreaterOrEqual(t, s.EvictedProcesses, uint64(processes-4096))
	require.Equal(t, 1<<15, s.Sockets)
	require.GreaterOrEqual(t, s.EvictedSockets, uint64(processes-1<<15))
	require.LessOrEqual(t, len(w.executions.order), maxExecutions)
	require.LessOrEqual(t, len(w.executions.byPID), maxExecutions)
	runtime.KeepAlive(r)
}

// liveHeap is what is in use of it.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
