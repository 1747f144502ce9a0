package attribution

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// TestSocketOfAnEndedProcess was passed by a scan, but nobody asked for it before its process ended.
func TestSocketOfAnEndedProcess(t *testing.T) {
	id := process.ID{PID: 7, StartTicks: 100}
	tests := []struct {
		name    string
		witness func(r *Resolver, p proc)
		want    string
	}{
		{"witnessed", func(r *Resolver, p proc) {
			k := r.lineage.fork(7, 1, 100*tick)
			r.lineage.show(k, program("/bin/agent", 3), 101*tick)
			r.lineage.end(k, 900*tick)
		}, "/bin/agent"},
		{"witnessed, and its PID is in use again", func(r *Resolver, p proc) {
			k := r.lineage.fork(7, 1, 100*tick)
			r.lineage.show(k, program("/bin/agent", 3), 101*tick)
			r.lineage.fork(7, 1, 900*tick)
			p.add(member{pid: 7, ticks: 900, exe: "/bin/other"})
		}, "/bin/agent"},
		{"not witnessed", func(*Resolver, proc) {}, ""},
		{"witnessed, with losses", func(r *Resolver, p proc) {
			k := r.lineage.fork(7, 1, 100*tick)
			r.lineage.show(k, program("/bin/agent", 3), 101*tick)
			r.lineage.end(k, 900*tick)
			r.lineage.doubt = 500 * tick
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProc(t)
			p.add(member{pid: 7, ticks: 100, exe: "/bin/agent", sockets: []uint64{1001, 1002}})
			r := resolver(t, Config{Root: p.root})
			require.NoError(t, r.scanner.list())
			r.scanner.scan(r.scanner.processes[7])
			p.end(7)
			tt.witness(r, p)
			for range 2 {
				got, program, ok := r.Owner(sock(2, 1002), 0)
				require.Equal(t, tt.want != "", ok)
				require.Equal(t, tt.want, program.Path)
				if ok {
					require.Equal(t, id, got)
				}
			}
		})
	}
}

// TestSocketClosedByALivingProcess keeps the owner that was seen to hold it.
func TestSocketClosedByALivingProcess(t *testing.T) {
	p := newProc(t)
	p.add(member{pid: 7, ticks: 100, exe: "/bin/agent", sockets: []uint64{1001, 1002}})
	r := resolver(t, Config{Root: p.root})
	_, _, ok := r.Owner(sock(1, 1001), 0)
	require.True(t, ok)
	p.close(7, 1)
	id, program, ok := r.Owner(sock(2, 1002), 0)
	require.True(t, ok)
	require.Equal(t, process.ID{PID: 7, StartTicks: 100}, id)
	require.Equal(t, "/bin/agent", program.Path)
}
