package source

import "sync/atomic"

// Share divides the budget of a protocol among the sources of several network namespaces: each that does not rest has an equal
// part. The zero Share is ready, a nil one divides nothing.
type Share struct {
	awake atomic.Int32
}

// of returns what one of those awake may use of a budget.
func (s *Share) of(budget float64) float64 {
	if s == nil {
		return budget
	}
	return budget / float64(max(s.awake.Load(), 1))
}

func (s *Share) add(n int32) {
	if s != nil {
		s.awake.Add(n)
	}
}
