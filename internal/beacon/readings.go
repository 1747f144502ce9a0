package beacon

import (
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

// load fills r with the newest sends of f in order. Sends at the same instant are one send. Failed attempts that follow
// one another as a connection retry does are one attempt, so a dead server is not a one-second beacon.
func (s *Scorer) load(f Series) (r *reading, uncertainty float64, failedShare float64) {
	order := s.order[:0]
	n := len(f.At)
	if !slices.IsSorted(f.At) {
		for i := range n {
			order = append(order, i)
		}
		slices.SortFunc(order, func(a, b int) int {
			switch {
			case f.At[a] < f.At[b]:
				return -1
			case f.At[a] > f.At[b]:
				return 1
			}
			return 0
		})
		s.order = order
	}
	r = &s.readings[0]
	r.reset()
	first := max(0, n-maxBeats)
	if n == 0 {
		return r, 0, 0
	}
	at := func(i int) int {
		if len(order) > 0 {
			return order[i]
		}
		return i
	}
	origin := f.At[at(first)]
	var ladder retries
	failed, within := 0, 0.0
	for i := first; i < n; i++ {
		j := at(i)
		// the difference of any two durations fits a float without overflow, unlike a Duration
		start := (float64(f.At[j]) - float64(origin)) / float64(time.Second)
		end := start
		if len(f.Last) >= n && f.Last[j] > f.At[j] {
			end += (float64(f.Last[j]) - float64(f.At[j])) / float64(time.Second)
		}
		bytes := 0.0
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
		last := len(r.start) - 1
		if last >= 0 && (start <= r.start[last] || ladder.continues(lost, start)) {
			r.end[last], r.bytes[last] = max(r.end[last], end), r.bytes[last]+bytes
			continue
		}
		ladder.begin(lost, start)
		r.add(start, end, bytes)
	}
	seen := float64(n - first)
	return r, max(within/seen, max(0, f.Resolution.Seconds())), float64(failed) / seen
}

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
