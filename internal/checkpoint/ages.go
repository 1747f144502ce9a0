package checkpoint

import (
	"slices"
	"time"
)

// span is when something was seen first and last, in seconds since the Unix epoch.
type span struct{ first, last int64 }

// coarse is how much later something must be seen again for its last time to be worth keeping: it only decides what is
// forgotten first.
const coarse = time.Hour

// ages is a bounded memory of when things were seen.
type ages[K comparable] struct {
	limit int
	at    map[K]span
}

// saw notes that k was seen, and reports whether that is worth saving.
func (a *ages[K]) saw(k K, now time.Time) (s span, changed bool) {
	at := now.Unix()
	s, found := a.at[k]
	switch {
	case !found:
		s = span{first: at, last: at}
	case at-s.last < int64(coarse/time.Second):
		return s, false
	}
	s.last = at
	a.set(k, s)
	return s, true
}

// set remembers k, making room first.
func (a *ages[K]) set(k K, s span) {
	if a.at == nil {
		a.at = make(map[K]span)
	}
	if _, found := a.at[k]; !found && len(a.at) >= a.limit {
		a.forget()
	}
	a.at[k] = s
}

// forget drops the sixteenth that was last seen longest ago, so that making room is rarely work.
func (a *ages[K]) forget() {
	times := make([]int64, 0, len(a.at))
	for _, s := range a.at {
		times = append(times, s.last)
	}
	slices.Sort(times)
	drop := len(times)/16 + 1
	oldest := times[drop-1]
	for k, s := range a.at {
		if s.last <= oldest && drop > 0 {
			delete(a.at, k)
			drop--
		}
	}
}
