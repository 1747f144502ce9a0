package attribution

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/internal/shrink"
)

func TestSocketsAreBounded(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 64, 0)
	r := resolver(t, Config{Root: p.root, MaxSockets: 8})
	for range 3 {
		for _, s := range sockets {
			_, _, ok := r.Owner(s, 0)
			require.True(t, ok, "forgotten is not lost")
		}
	}
	s := r.Stats()
	require.Equal(t, 8, s.Sockets)
	require.GreaterOrEqual(t, s.EvictedSockets, uint64(56))
	require.LessOrEqual(t, s.Indexed, 32)
	require.Positive(t, s.Unindexed)
}

func TestForgottenSocketsGoFirst(t *testing.T) {
	var table sockets
	table.limit = 4
	live, ended := &entry{}, &entry{exited: true}
	for i, owner := range []*entry{live, ended, live, live} {
		table.remember(socketKey{cookie: uint64(1 + i)}, socket{owner: owner})
	}
	table.remember(socketKey{cookie: 9}, socket{owner: live})
	require.NotContains(t, table.byKey, socketKey{cookie: 2})
	require.Len(t, table.byKey, 4)
	table.remember(socketKey{cookie: 9}, socket{owner: ended})
	require.EqualValues(t, 1, table.evicted, "renewing one takes no room")
}

// TestSocketsOfTheDeadAreForgotten: the end of a socket may never be told.
func TestSocketsOfTheDeadAreForgotten(t *testing.T) {
	table := sockets{limit: 1 << 20}
	live, ended := &entry{}, &entry{exited: true, ended: 100}
	for i := range uint64(4 * shrink.Roomy) {
		table.remember(socketKey{cookie: 1 + i}, socket{owner: ended})
	}
	table.remember(socketKey{cookie: 1 << 40}, socket{owner: live})
	table.remember(socketKey{cookie: 1 << 41}, socket{})
	table.expire(100)
	require.Len(t, table.byKey, 4*shrink.Roomy+2, "some time is left for what comes late")
	table.expire(101)
	require.Len(t, table.byKey, 2)
	require.Equal(t, 2, table.most, "the map is another one")
}

func TestProcessesAreBounded(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 64, 0)
	r := resolver(t, Config{Root: p.root, MaxProcesses: 8})
	for _, s := range sockets {
		_, _, ok := r.Owner(s, 0)
		require.True(t, ok)
	}
	s := r.Stats()
	require.Equal(t, 8, s.Processes)
	require.EqualValues(t, 56, s.EvictedProcesses)
	r.mu.Lock()
	require.LessOrEqual(t, len(r.processes.pending), 8)
	require.Len(t, r.processes.live, 8)
	r.mu.Unlock()
	id, program, ok := r.Owner(sockets[0], 0)
	require.True(t, ok)
	require.Equal(t, "/bin/agent", program.Path, "an open socket keeps the name of its owner")
	known := 0
	for i := range sockets {
		if _, ok := r.Process(process.ID{PID: int32(10 + i), StartTicks: uint64(10 + i)}); ok {
			known++
		}
	}
	require.Equal(t, 8, known)
	require.EqualValues(t, 10, id.PID)
}

func TestEndedProcessesGoFirst(t *testing.T) {
	var table processes
	table.limit, table.textLimit = 3, 1<<20
	entries := make([]*entry, 3)
	for i := range entries {
		entries[i] = table.add(process.Info{ID: process.ID{PID: int32(i + 1)}}, 0, 0)
	}
	table.exit(entries[2], 5)
	table.exit(entries[2], 6)
	require.Len(t, table.exited, 1, "ends once")
	table.add(process.Info{ID: process.ID{PID: 9}}, 0, 0)
	require.Nil(t, entries[2].info)
	table.add(process.Info{ID: process.ID{PID: 10}}, 0, 0)
	require.Nil(t, entries[0].info, "then the one that has been quiet for longest")
	require.Len(t, table.byID, 3)
}

func TestTextIsBounded(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 64, 0)
	for i := range sockets {
		p.write(int32(10+i), "cmdline", strings.Repeat("x", 16<<10))
	}
	r := resolver(t, Config{Root: p.root, MaxText: 64 << 10})
	for _, s := range sockets {
		_, _, ok := r.Owner(s, 0)
		require.True(t, ok)
	}
	s := r.Stats()
	require.LessOrEqual(t, s.Text, 64<<10)
	require.LessOrEqual(t, s.Processes, 16, "4 KiB are kept of each")
	require.GreaterOrEqual(t, s.Processes, 15)
	total := 0
	for _, e := range r.processes.byID {
		total += textOf(*e.info)
	}
	require.Equal(t, s.Text, total, "the account is right")
}

func TestBudget(t *testing.T) {
	b := newBudget(0.1, nil)
	now := b.last
	require.True(t, b.some())
	require.True(t, b.ample())
	b.spend(600 * time.Millisecond)
	require.True(t, b.some())
	require.False(t, b.ample(), "the second half is for the likely places")
	b.spend(600 * time.Millisecond)
	require.False(t, b.some())
	b.refill(now + int64(time.Second))
	require.False(t, b.some(), "the overdraft of 200 ms is paid back first")
	b.refill(now + int64(3*time.Second))
	require.True(t, b.some())
	b.refill(now + int64(time.Hour))
	require.Equal(t, burst, b.credit, "no more than a burst is saved")
	b.refill(now)
	require.Equal(t, burst, b.credit, "time does not run backwards")

	var halvings atomic.Int32
	b = newBudget(0.1, &halvings)
	halvings.Store(2)
	b.spend(2 * burst)
	require.Equal(t, 40*time.Second, b.until(0))
	b.refill(b.last + int64(20*time.Second))
	require.Equal(t, -burst/2, b.credit, "a quarter of the share")
}

// TestLookingIsPutOff: without budget nobody is scanned, and the socket is found when there is some again.
func TestLookingIsPutOff(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 4, 0)
	r := resolver(t, Config{Root: p.root, Share: 0.001})
	r.scanner.budget.credit = -time.Second
	_, _, ok := r.Owner(sockets[0], 0)
	require.False(t, ok)
	s := r.Stats()
	require.Zero(t, s.Scans)
	require.EqualValues(t, 1, s.Deferred)
	r.scanner.budget.credit = burst
	_, _, ok = r.Owner(sockets[0], 0)
	require.True(t, ok)
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 100, 2)
	r := resolver(t, Config{Root: p.root, MaxSockets: 64, MaxProcesses: 32})
	ran(t, r)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 300 {
				s := sockets[(i*7+worker)%len(sockets)]
				id, program, ok := r.Owner(s, 0)
				if !ok || program.Path != "/bin/agent" {
					t.Errorf("lost %v", s)
				}
				r.Process(id)
				r.Owner(s, id.PID)
				r.Owner(send.Socket{Cookie: uint64(1 << 40), Inode: 7}, 0)
				if i%10 == 0 {
					r.Forget(s)
					r.Stats()
				}
			}
		})
	}
	all.Wait()
}

// TestWhoHasEndedIsForgottenInAHurry: while memory is short, processes that ended minutes ago go before their time, but for the last one
// of each program.
func TestWhoHasEndedIsForgottenInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		r := resolver(t, Config{Root: p.root})
		for _, s := range crowd(p, 64, 0) {
			_, _, ok := r.Owner(s, 0)
			require.True(t, ok)
		}
		for pid := range 64 {
			p.end(int32(10 + pid))
		}
		e := newEnricher(r)
		r.reap(e) // they have ended
		time.Sleep(keepKin + time.Second)
		r.reap(e)
		require.Equal(t, 64, r.Stats().Processes)
		r.Hurry(true)
		r.reap(e)
		require.Equal(t, 1, r.Stats().Processes)
	})
}
