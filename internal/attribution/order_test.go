package attribution

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
	"github.com/beaconwatch/beaconwatch/test/need"
)

// settled is a host of 50 processes that have all been scanned, and the number of scans that took.
func settled(t *testing.T, c Config) (proc, *Resolver, uint64) {
	p := newProc(t)
	crowd(p, 50, 2)
	c.Root = p.root
	r := resolver(t, c)
	_, _, ok := r.Owner(sock(1<<20, 1), 0)
	require.False(t, ok)
	s := r.Stats()
	require.EqualValues(t, 51, s.Scans)
	require.EqualValues(t, 1, s.FullScans)
	return p, r, s.Scans
}

func TestNewestIsScannedFirst(t *testing.T) {
	p := newProc(t)
	sockets := crowd(p, 50, 2)
	r := resolver(t, Config{Root: p.root})
	id, _, ok := r.Owner(sockets[49], 0)
	require.True(t, ok)
	require.EqualValues(t, 59, id.PID)
	require.EqualValues(t, 1, r.Stats().Scans)
}

func TestNewProcessIsScannedBeforeKnownOnes(t *testing.T) {
	p, r, before := settled(t, Config{})
	p.add(member{pid: 9, parent: 1, ticks: 5, exe: "/bin/curl", sockets: []uint64{1001}}) // its PID has come round
	id, _, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	require.EqualValues(t, 9, id.PID)
	require.Equal(t, before+1, r.Stats().Scans)
}

func TestSameUserIsScannedBeforeOthers(t *testing.T) {
	need.Root(t)
	p, r, _ := settled(t, Config{FullScanEvery: time.Nanosecond})
	const user = 1000
	require.NoError(t, os.Chown(p.dir(20), user, user))
	r.nextScan.Store(0)
	r.Owner(sock(1<<21, 2), 0) // notes whose process it is now
	before := r.Stats()
	p.link(20, "fd/9", "socket:[1001]")
	id, _, ok := r.Owner(send.Socket{Cookie: 1, Inode: 1001, UID: user}, 0)
	require.True(t, ok)
	require.EqualValues(t, 20, id.PID)
	after := r.Stats()
	require.Equal(t, before.Scans+1, after.Scans)
	require.Equal(t, before.FullScans, after.FullScans)
}

func TestAnotherUsersProcessTakesAFullScan(t *testing.T) {
	p, r, before := settled(t, Config{FullScanEvery: time.Hour})
	p.link(20, "fd/9", "socket:[1001]")
	s := send.Socket{Cookie: 1, Inode: 1001, UID: 4242} // the process has changed its user since it opened the socket
	_, _, ok := r.Owner(s, 0)
	require.False(t, ok, "a full scan was made lately")
	require.Equal(t, before, r.Stats().Scans)
	r.nextScan.Store(0)
	id, _, ok := r.Owner(s, 0)
	require.True(t, ok)
	require.EqualValues(t, 20, id.PID)
	require.EqualValues(t, 2, r.Stats().FullScans)
}

// TestUnlikelyPlacesUseHalfTheBudget: a process that has been quiet for long is not asked when half is spent, a new one is.
func TestUnlikelyPlacesUseHalfTheBudget(t *testing.T) {
	p, r, before := settled(t, Config{Share: 1e-9})
	r.scanner.budget.credit = burst / 2
	p.link(20, "fd/9", "socket:[1001]")
	_, _, ok := r.Owner(sock(1, 1001), 0)
	require.False(t, ok)
	require.Equal(t, before, r.Stats().Scans)
	p.add(member{pid: 9, parent: 1, ticks: 5, exe: "/bin/curl", sockets: []uint64{1002}})
	_, _, ok = r.Owner(sock(2, 1002), 0)
	require.True(t, ok)
	require.Equal(t, before+1, r.Stats().Scans)
}

// TestEndedOwnerIsKeptWhileLookingIsPutOff: having had no time to look is not having found nobody.
func TestEndedOwnerIsKeptWhileLookingIsPutOff(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, parent: 1, ticks: 100, exe: "/bin/a", sockets: []uint64{1001}})
	p.add(member{pid: 8, parent: 7, ticks: 200, exe: "/bin/b", sockets: []uint64{1001}})
	r := resolver(t, Config{Root: p.root, Share: 1e-9})
	_, program, _ := r.Owner(sock(1, 1001), 0)
	require.Equal(t, "/bin/a", program.Path)
	p.end(7)
	r.reap(newEnricher(r))
	r.scanner.budget.credit = 0
	_, program, _ = r.Owner(sock(1, 1001), 0)
	require.Equal(t, "/bin/a", program.Path)
	r.scanner.budget.credit = burst
	_, program, _ = r.Owner(sock(1, 1001), 0)
	require.Equal(t, "/bin/b", program.Path)
}
