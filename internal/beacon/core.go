package beacon

import "math"

const (
	// coreShare of the gaps of a band in a third of its width are its core, coreWidth, on a logarithmic scale; a rhythm is told by its
	// core, so that one late check-in does not move the period that people go looking for.
	coreShare, coreWidth = 0.8, 1.0 / 3
	// coreLeast is the half-width, on a logarithmic scale, within which gaps belong to a core however narrow it is.
	coreLeast = 0.01
	// chanceLeast is the narrowest width, on a logarithmic scale, of which chance is told.
	chanceLeast = 0.002
)

// told returns the band as people are told it: its core, and what chance would put into one so wide, which is in proportion where
// the search went no narrower. uncertainty is that of the clock in seconds.
func (b band) told(sorted []float64, uncertainty float64) band {
	core := b.core(sorted)
	if b.searched > 0 && core.lo > 0 {
		width := max(math.Log(core.hi/core.lo), 2*uncertainty/core.interval(), chanceLeast)
		core.chance *= min(1, width/b.searched)
	}
	return core
}

// core returns the band without the gaps far from where nearly all of it lies, if there is such a place. sorted are the logarithms
// of all gaps, in ascending order.
func (b band) core(sorted []float64) band {
	lo, hi := logOf(b.lo), logOf(b.hi)
	const rounding = 1e-9
	from, to := upTo(sorted, lo-rounding), upTo(sorted, hi+rounding)
	inside := sorted[from:to]
	least := int(math.Ceil(coreShare * float64(len(inside))))
	if len(inside) < minPattern || to-from != b.in {
		return b // or the band is not one of these gaps
	}
	best, width := 0, math.Inf(1)
	for i := 0; i+least <= len(inside); i++ {
		if w := inside[i+least-1] - inside[i]; w < width {
			best, width = i, w
		}
	}
	if width > (hi-lo)*coreWidth {
		return b
	}
	middle, half := inside[best]+width/2, max(1.5*width, coreLeast)
	first, last := upTo(inside, middle-half-rounding), upTo(inside, middle+half+rounding)
	b.lo, b.hi, b.in = math.Exp(inside[first]), math.Exp(inside[last-1]), last-first
	b.share = float64(b.in) / float64(b.of)
	return b
}
