package attribution

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// TestInheritedSocketBelongsToTheOpener: a shell keeps a connection open (exec 3<>/dev/tcp/…) and runs one command after
// the other, each of which inherits it.
func TestInheritedSocketBelongsToTheOpener(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 40, parent: 1, ticks: 100, exe: "/bin/bash"})
	p.add(member{pid: 30, parent: 40, ticks: 100, exe: "/bin/bash"})
	r := resolver(t, Config{Root: p.root})
	r.Owner(sock(9, 9), 0) // everything has been scanned before the socket is opened

	p.link(40, "fd/3", "socket:[1001]")
	p.add(member{pid: 50, parent: 40, ticks: 1 << 38, exe: "/bin/sleep", sockets: []uint64{1001}})
	id, program, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	require.Equal(t, "/bin/bash", program.Path)
	require.EqualValues(t, 40, id.PID)

	p.add(member{pid: 60, parent: 50, ticks: 1 << 39, exe: "/bin/cat", sockets: []uint64{1001, 1002}})
	id, _, ok = r.Owner(sock(2, 1002), 0)
	require.True(t, ok)
	require.EqualValues(t, 60, id.PID, "its own socket is its own")
}

func TestPreferredHolder(t *testing.T) {
	of := func(pid int32, ticks uint64) *candidate {
		return &candidate{id: process.ID{PID: pid, StartTicks: ticks}}
	}
	tests := []struct {
		name string
		a, b *candidate
	}{
		{"the older", of(9, 10), of(5, 11)},
		{"the lower PID of one tick", of(5, 10), of(9, 10)},
		{"anybody rather than init", of(9, 10), of(1, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.True(t, before(tt.a, tt.b))
			require.False(t, before(tt.b, tt.a))
			for _, order := range [][]*candidate{{tt.a, tt.b}, {tt.b, tt.a}} {
				x := index{limit: 9, holders: map[uint64]holder{}}
				for _, c := range order {
					require.True(t, x.add(7, holder{process: c}))
				}
				h, ok := x.find(7)
				require.True(t, ok)
				require.Same(t, tt.a, h.process, "whatever the order of the scans")
			}
		})
	}
}

// TestSocketOutlivesItsOpener: the opener ends and leaves the socket to a child, as a program does that goes into the
// background.
func TestSocketOutlivesItsOpener(t *testing.T) {
	files, sockets := openSockets(t, 1)
	s := sockets[0]
	parent := exec.Command("/bin/sh", "-c", "/bin/sleep 600 & echo $!; exec /bin/sleep 600")
	parent.ExtraFiles = files
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	running(t, parent)
	require.NoError(t, files[0].Close())
	child := readPID(t, out)
	t.Cleanup(func() { killPID(child) })

	r := resolver(t, Config{})
	id, _, ok := r.Owner(s, 0)
	require.True(t, ok)
	require.EqualValues(t, parent.Process.Pid, id.PID, "the older of the two")
	opener := id

	end(parent)
	id, _, ok = r.Owner(s, 0)
	require.True(t, ok)
	require.Equal(t, opener, id, "nobody has noticed yet")
	r.reap(newEnricher(r))
	id, _, ok = r.Owner(s, 0)
	require.True(t, ok)
	require.Equal(t, child, id.PID)
	info, ok := r.Process(opener)
	require.True(t, ok)
	require.True(t, info.Exited)

	killPID(child)
	require.Eventually(t, func() bool {
		r.reap(newEnricher(r))
		info, ok := r.Process(id)
		return ok && info.Exited
	}, waitAtMost, pollEvery)
	last, _, ok := r.Owner(s, 0)
	require.True(t, ok)
	require.Equal(t, id, last, "the last known holder, now that there is none")
	looked := r.Stats().Misses
	r.Owner(s, 0)
	require.Equal(t, looked, r.Stats().Misses, "and that was the end of looking")
}
