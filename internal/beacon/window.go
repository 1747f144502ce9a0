package beacon

// fullest returns where a window of the given width over sorted values holds most of them, and how many, given that some
// window no wider holds count from index from on. The window never shrinks, so one pass with one comparison a step does.
func fullest(sorted []float64, width float64, from, count int) (int, int) {
	for i := 0; i+count < len(sorted); i++ {
		for i+count < len(sorted) && sorted[i+count]-sorted[i] <= width {
			from = i
			count++
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
