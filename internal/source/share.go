package source

import (
	"math"
	"sync/atomic"
	"time"
)

// setAside is the least time between two passes in a network namespace whose samples give way.
const setAside = 30 * time.Second

// Share divides the budget of a protocol among the sources of several network namespaces: each that does not rest has an equal
// part. The zero Share is ready, a nil one divides nothing.
type Share struct {
	awake    atomic.Int32
	halvings atomic.Int32
	ownFirst atomic.Bool
}

// Ease halves the budget so many times. Notices that sockets were destroyed are handled all the same, here and below.
func (s *Share) Ease(halvings int) { s.halvings.Store(int32(halvings)) }

// OwnFirst says whether samples of other network namespaces than the sensor's own give way, all but a look now and then.
func (s *Share) OwnFirst(yes bool) { s.ownFirst.Store(yes) }

// least is the least time between two passes, elsewhere than in the sensor's own network namespace or there.
func (s *Share) least(elsewhere bool) time.Duration {
	if s != nil && elsewhere && s.ownFirst.Load() {
		return setAside
	}
	return 0
}

// of returns what one of those awake may use of a budget.
func (s *Share) of(budget float64) float64 {
	if s == nil {
		return budget
	}
	return math.Ldexp(budget, -int(s.halvings.Load())) / float64(max(s.awake.Load(), 1))
}

func (s *Share) add(n int32) {
	if s != nil {
		s.awake.Add(n)
	}
}
