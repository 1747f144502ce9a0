package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

func TestPacesStretchAsTheirShareEases(t *testing.T) {
	share := &Share{}
	own, other := pace{min: time.Millisecond, budget: 0.1, share: share}, pace{min: time.Millisecond, budget: 0.1, share: share, where: 7}
	for _, p := range []*pace{&own, &other} {
		p.begin(boottime.Time(time.Second))
		p.end(time.Millisecond)
	}
	require.Equal(t, 20*time.Millisecond, own.period(), "they share the budget")
	share.Ease(3)
	require.Equal(t, 160*time.Millisecond, own.period())
	require.Equal(t, own.period(), other.period())
	share.OwnFirst(true)
	require.Equal(t, 160*time.Millisecond, own.period())
	require.Equal(t, setAside, other.period())
	share.OwnFirst(false)
	share.Ease(0)
	require.Equal(t, 20*time.Millisecond, other.period())
}

// While its samples give way, a source of another network namespace still tells every connection that ends, and every byte of it.
func TestTheDestroyStreamNeverGivesWay(t *testing.T) {
	enterNamespace(t)
	const period, connections = 5 * time.Millisecond, 200
	share := &Share{}
	to := server(t, "127.0.0.1:0", drain)
	dial(t, to) // so that there is something to sample
	tcp, err := NewTCP(TCPConfig{MinPeriod: period, Place: Place{NetNSInode: 7, Share: share}})
	r := run(t, tcp, err)
	r.passes(t, 3)
	share.Ease(4)
	share.OwnFirst(true)
	samples := uint64(0)
	require.Eventually(t, func() bool { // a pass that was due is made
		before := samples
		samples = r.Stats().Samples
		return samples == before
	}, patience, 20*period)
	want := 0
	for i := range connections {
		c := dial(t, to)
		write(t, c, 100+i)
		want += 100 + i
		c.Close()
	}
	r.await(t, send.Close, to, connections)
	bytes := 0
	for _, one := range only(send.Data, r.of(to)) {
		bytes += int(one.Bytes)
	}
	require.Equal(t, want, bytes)
	require.Zero(t, r.Stats().Lost+r.Stats().Gaps)
	require.LessOrEqual(t, r.Stats().Samples, samples+1, "samples did, all the while")
}
