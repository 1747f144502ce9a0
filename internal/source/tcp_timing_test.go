package source

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/beaconwatch/beaconwatch/internal/boottime"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// sent is a sender's own record of one send: it was called at from and had returned by to.
type sent struct {
	from, to boottime.Time
	bytes    uint64
}

// beat sends over c, with random sizes at random intervals of period and up to half more, until stop.
func beat(c net.Conn, period time.Duration, seed uint64, stop <-chan struct{}) (own []sent) {
	random := rand.New(rand.NewPCG(seed, 0))
	for {
		select {
		case <-stop:
			return own
		case <-time.After(period + time.Duration(random.Int64N(int64(period)/2))):
		}
		size := 1 + random.IntN(3000)
		from := boottime.Now()
		if _, err := c.Write(make([]byte, size)); err != nil {
			return own
		}
		own = append(own, sent{from, boottime.Now(), uint64(size)})
	}
}

func TestTCPTimesSendsToAJiffyWhateverThePeriod(t *testing.T) {
	t.Parallel()
	const senders, watch = 40, 8 * time.Second
	to := server(t, "127.0.0.1:0", drain)
	second := watchTCP(t, TCPConfig{MinPeriod: time.Second})
	usual := watchTCP(t, TCPConfig{})
	stop := make(chan struct{})
	own := make([][]sent, senders)
	conns := make([]*net.TCPConn, senders)
	var all sync.WaitGroup
	for i := range senders {
		conns[i] = dial(t, to)
		all.Go(func() { own[i] = beat(conns[i], time.Second, uint64(i), stop) })
	}
	<-time.After(watch)
	close(stop)
	all.Wait()
	for _, c := range conns {
		c.Close()
	}
	for name, r := range map[string]*record{"sampled every second": second, "sampled as usual": usual} {
		r.await(t, send.Close, to, senders)
		var errs []time.Duration
		var bytes, want, alone, covered uint64
		for i, c := range conns {
			near := c.LocalAddr().(*net.TCPAddr).AddrPort()
			data := slices.DeleteFunc(only(send.Data, r.of(to)), func(s send.Send) bool { return s.Socket.Local != near })
			bytes += bytesOf(data)
			for _, s := range own[i] {
				want += s.bytes
				errs = append(errs, timeError(s, data))
				for _, d := range data {
					if d.Bytes == s.bytes && d.Quality == send.Jiffy {
						alone++
						if d.At >= s.from && d.At.Add(-d.Within) <= s.to {
							covered++
						}
					}
				}
			}
		}
		slices.Sort(errs)
		p50, p95 := errs[len(errs)/2], errs[len(errs)*95/100]
		t.Logf("%s: %d sends, %.1f %% of bytes, %d seen each by itself, %d within the stated bounds, time error p50 %v, "+
			"p95 %v, most %v, jiffy %v", name, len(errs), 100*float64(bytes)/float64(want), alone, covered, p50, p95, errs[len(errs)-1], r.Stats().Resolution)
		require.GreaterOrEqual(t, float64(bytes), 0.99*float64(want))
		require.LessOrEqual(t, bytes, want, "and never more than was sent")
		// alone on the machine it is all; beside other tests ticks themselves come late
		require.GreaterOrEqual(t, float64(covered), 0.95*float64(alone), "a source knows how well it knows")
		// the 95th percentile is held to this end to end, where the test runs alone: here others delay the senders
		// between their record and the kernel
		require.LessOrEqual(t, p50, r.Stats().Resolution+2*time.Millisecond)
	}
}

// timeError is how far the nearest report is from the sender's own record.
func timeError(s sent, reports []send.Send) time.Duration {
	least := time.Hour
	for _, r := range reports {
		miss := max(s.from.Sub(r.At), r.At.Sub(s.to), 0)
		least = min(least, miss)
	}
	return least
}
