package beacon

import "slices"

// buckets is how many classes the first pass of sortSpread uses: about one value each for a few hundred.
const buckets = 256

// crowded is the size of a bucket from which insertion is no longer the way to sort it.
const crowded = 24

// sortSpread sorts x, by buckets of equal width and insertion: gaps on a logarithmic scale spread evenly enough to make
// this three times as fast as comparing. Where they crowd together it compares. room is scratch, returned grown.
func sortSpread(x, room []float64) []float64 {
	if len(x) < crowded {
		slices.Sort(x)
		return room
	}
	lo, hi := x[0], x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	if hi == lo {
		return room
	}
	scale := (buckets - 1) / (hi - lo)
	var starts [buckets + 1]uint16
	for _, v := range x {
		starts[int((v-lo)*scale)+1]++
	}
	most := uint16(0)
	for i := 1; i < len(starts); i++ {
		most = max(most, starts[i])
		starts[i] += starts[i-1]
	}
	if most > crowded {
		slices.Sort(x)
		return room
	}
	room = append(room[:0], x...)
	for _, v := range room {
		b := int((v - lo) * scale)
		x[starts[b]] = v
		starts[b]++
	}
	for i := 1; i < len(x); i++ {
		v := x[i]
		j := i
		for ; j > 0 && x[j-1] > v; j-- {
			x[j] = x[j-1]
		}
		x[j] = v
	}
	return room
}
