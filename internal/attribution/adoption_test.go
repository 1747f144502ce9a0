package attribution

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/send"
)

// crowd adds n processes with one socket and some files each and returns the sockets.
func crowd(p proc, n, files int) []send.Socket {
	sockets := make([]send.Socket, n)
	for i := range n {
		inode := uint64(100_000 + i)
		p.add(member{pid: int32(10 + i), parent: 1, ticks: uint64(10 + i), exe: "/bin/agent", files: files, sockets: []uint64{inode}})
		sockets[i] = sock(uint64(1+i), inode)
	}
	return sockets
}

// TestAdoptingManySocketsIsOnePass: in whichever order a first dump reports them.
func TestAdoptingManySocketsIsOnePass(t *testing.T) {
	const processes, files = 1000, 4
	p := newProc(t)
	sockets := crowd(p, processes, files)
	for name, nth := range map[string]func(i int) int{
		"oldest first": func(i int) int { return i },
		"newest first": func(i int) int { return processes - 1 - i },
		"mixed":        func(i int) int { return i * 7 % processes },
	} {
		t.Run(name, func(t *testing.T) {
			r := resolver(t, Config{Root: p.root})
			for i := range processes {
				n := nth(i)
				id, _, ok := r.Owner(sockets[n], 0)
				require.True(t, ok)
				require.EqualValues(t, 10+n, id.PID)
			}
			s := r.Stats()
			require.LessOrEqual(t, s.Descriptors, uint64(processes*(files+1)), "each descriptor was read at most once")
			require.LessOrEqual(t, s.Scans, uint64(processes+1))
			require.LessOrEqual(t, s.Verified, uint64(processes))
			require.Zero(t, s.FullScans)
		})
	}
}

// TestNewSocketsOfOneProcessAreOneScan: a proxy that was scanned before opens many more.
func TestNewSocketsOfOneProcessAreOneScan(t *testing.T) {
	p := newProc(t)
	known := crowd(p, 200, 4)
	r := resolver(t, Config{Root: p.root})
	for _, s := range known {
		_, _, ok := r.Owner(s, 0)
		require.True(t, ok)
	}
	const more = 100
	for i := range more {
		p.link(15, "fd/"+text(1000+i), "socket:["+text(500_000+i)+"]")
	}
	_, _, ok := r.Owner(sock(9000, 500_000), 0)
	require.True(t, ok)
	before := r.Stats()
	for i := 1; i < more; i++ {
		id, _, ok := r.Owner(sock(uint64(9000+i), uint64(500_000+i)), 0)
		require.True(t, ok)
		require.EqualValues(t, 15, id.PID)
	}
	require.Equal(t, before.Descriptors, r.Stats().Descriptors, "one scan found all")

	p.link(15, "fd/5000", "socket:[600000]")
	_, _, ok = r.Owner(sock(9999, 600_000), 0)
	require.True(t, ok)
	after := r.Stats()
	require.Equal(t, before.Scans+1, after.Scans, "the one that opened sockets lately is asked first")
}

// TestAdoptingLiveSockets does it with real processes, among all others of this host.
func TestAdoptingLiveSockets(t *testing.T) {
	const processes, each = 40, 10
	want := make(map[send.Socket]int32)
	var order []send.Socket
	for range processes {
		cmd, sockets := holding(t, each, "/bin/sleep")
		for _, s := range sockets {
			want[s] = int32(cmd.Process.Pid)
		}
		order = append(order, sockets...)
	}
	r := resolver(t, Config{})
	for _, s := range order {
		id, program, ok := r.Owner(s, 0)
		require.True(t, ok)
		require.Equal(t, want[s], id.PID)
		require.True(t, program.Attributed())
	}
	s := r.Stats()
	require.LessOrEqual(t, s.Verified, uint64(processes*each))
	require.Less(t, s.Scans, uint64(processes*each), "not a scan for each socket")
	require.Zero(t, s.Unattributed)
	require.Equal(t, processes*each, s.Sockets)
	require.Equal(t, processes, s.Processes)
}
