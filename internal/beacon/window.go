package beacon

// fullest returns where a window of the given width over sorted values holds most of them, and how many.
func fullest(sorted []float64, width float64) (from, count int) {
	j := 0
	for i := range sorted {
		limit := sorted[i] + width
		for j < len(sorted) && sorted[j] <= limit {
			j++
		}
		if j-i > count {
			from, count = i, j-i
		}
		if j == len(sorted) {
			break
		}
	}
	return from, count
}

// upTo returns how many sorted values are at most x.
func upTo(sorted []float64, x float64) int {
	lo, hi := 0, len(sorted)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if sorted[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
