package beacon

import (
	"cmp"
	"slices"
	"time"
)

// maxBeats is how many of the newest sends are read: 512 gaps settle every question the scorer asks, and bound its price.
const maxBeats = 513

// reading is one way to cut a flow into beats: starts and ends in seconds from the first beat, and the bytes of each.
// gaps are the times between starts; logs are their logarithms in time order, sorted the same in ascending order.
type reading struct {
	start, end, bytes  []float64
	gaps, logs, sorted []float64
	limit, mean        float64                 // the silence it was merged at (0 = raw), the mean gap
	ladder             []bool                  // raw only: which sends a doubling pause led to
	full               [len(halfWidths)]window // set by densestBand: the fullest window of each width
}

// window is count sorted gaps from index from on.
type window struct{ from, count int }

func (r *reading) reset() {
	r.start, r.end, r.bytes = r.start[:0], r.end[:0], r.bytes[:0]
}

func (r *reading) add(start, end, bytes float64) {
	r.start, r.end, r.bytes = append(r.start, start), append(r.end, end), append(r.bytes, bytes)
}

// load fills the raw reading with the newest sends of f in order, and returns it with the mean timing uncertainty in
// seconds and the share of failed attempts. Sends at the same instant are one send. Failed attempts that follow one another
// as retries do are one attempt, so a dead server is not a one-second beacon.
func (s *Scorer) load(f Series) (raw *reading, uncertainty, failedShare float64) {
	raw = &s.readings[0]
	raw.reset()
	n := len(f.At)
	if n == 0 {
		return raw, 0, 0
	}
	order := s.sorted(f.At)
	first := max(0, n-maxBeats)
	var origin time.Duration
	var run retries
	failed, within := 0, 0.0
	for i := first; i < n; i++ {
		j := i
		if order != nil {
			j = order[i]
		}
		if i == first {
			origin = f.At[j]
		}
		start, bytes := apart(f.At[j], origin), 0.0
		end := start
		if len(f.Last) >= n && f.Last[j] > f.At[j] {
			end += apart(f.Last[j], f.At[j])
		}
		if len(f.Bytes) >= n {
			bytes = float64(f.Bytes[j])
		}
		if len(f.Within) >= n && f.Within[j] > 0 {
			within += f.Within[j].Seconds()
		}
		lost := len(f.Failed) >= n && f.Failed[j]
		if lost {
			failed++
		}
		last := len(raw.start) - 1
		if last >= 0 && (start <= raw.start[last] || run.continues(lost, start)) {
			raw.end[last], raw.bytes[last] = max(raw.end[last], end), raw.bytes[last]+bytes
			continue
		}
		run.begin(lost, start)
		raw.add(start, end, bytes)
	}
	seen := float64(n - first)
	return raw, max(within/seen, f.Resolution.Seconds()), float64(failed) / seen
}

// sorted returns the indices of at in ascending order of time, or nil if at is in order already.
func (s *Scorer) sorted(at []time.Duration) []int {
	if slices.IsSorted(at) {
		return nil
	}
	order := s.order[:0]
	for i := range at {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(at[a], at[b]), cmp.Compare(a, b)) })
	if len(order) <= keptOrder {
		s.order = order
	}
	return order
}

// keptOrder bounds the scratch memory that one long unsorted flow leaves behind.
const keptOrder = 1 << 14

// apart returns how many seconds b is before a. Unsigned, the difference of any two durations fits, and is exact.
func apart(a, b time.Duration) float64 { return float64(uint64(a)-uint64(b)) / float64(time.Second) }

// merge fills r with the beats of raw, measured already: sends with at most limit seconds of silence since the last send
// before them are one beat, and so is a back-off. Cutting on silence, not on the time since the first send, keeps a long
// check-in whole.
func (r *reading) merge(raw *reading, limit float64) {
	r.reset()
	r.limit = limit
	r.gaps, r.logs = r.gaps[:0], r.logs[:0]
	whole := false // the gap since the start of the last beat is one gap of raw
	for i, start := range raw.start {
		last := len(r.start) - 1
		if last < 0 {
			r.add(start, raw.end[i], raw.bytes[i])
			whole = true
			continue
		}
		if start-r.end[last] <= limit || raw.ladder[i] {
			r.end[last], r.bytes[last] = max(r.end[last], raw.end[i]), r.bytes[last]+raw.bytes[i]
			whole = false
			continue
		}
		gap := start - r.start[last]
		r.gaps = append(r.gaps, gap)
		if whole {
			r.logs = append(r.logs, raw.logs[i-1]) // a logarithm is dear
		} else {
			r.logs = append(r.logs, logOf(gap))
		}
		r.add(start, raw.end[i], raw.bytes[i])
		whole = true
	}
}

// measure fills the gaps of a reading and their logarithms.
func (r *reading) measure() {
	r.gaps, r.logs = r.gaps[:0], r.logs[:0]
	for i := 1; i < len(r.start); i++ {
		g := r.start[i] - r.start[i-1]
		r.gaps = append(r.gaps, g)
		r.logs = append(r.logs, logOf(g))
	}
}

// rank fills the mean gap and the sorted logarithms of a reading that has its gaps.
func (s *Scorer) rank(r *reading) {
	r.mean = (r.start[len(r.start)-1] - r.start[0]) / float64(len(r.gaps))
	r.sorted = append(r.sorted[:0], r.logs...)
	s.room = sortSpread(r.sorted, s.room)
}
