package corpus

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// baywatch is the time-series part of BAYWATCH (Hu et al., DSN 2016): the requests are counted in bins of a second, the
// frequencies of their periodogram that are stronger than any frequency of 19 in 20 permutations of the bins are
// candidates, and a candidate stands if its period is on a hill of the autocorrelation. Its filters of popularity, novelty
// and names need a whole enterprise and are left out. A long flow gets bins of several seconds, 8192 at
// most, so that the price is bounded.
type baywatch struct {
	fft, wide   *fourier.FFT
	counts      []float64 // requests in each bin
	shuffled    []float64
	spectrum    []complex128
	power       []float64
	strongest   []float64
	padded      []float64
	broad       []complex128
	correlation []float64 // of the counts with themselves, at each lag
}

const (
	baywatchBins         = 8192
	baywatchFewest       = 16 // bins
	baywatchPermutations = 20
	baywatchCycles       = 3 // that a period must have room for
)

// score returns the autocorrelation at the best period that stands, in (0, 1]; if none does, how near the strongest
// frequency came to being a candidate, in [−1, 0].
func (b *baywatch) score(f simulate.Flow) float64 {
	first := f.At[0]
	span := f.At[len(f.At)-1] - first
	if span < baywatchFewest*time.Second {
		return -1
	}
	bin := time.Second * (1 + span/(baywatchBins*time.Second))
	b.reset(smooth(int(span/bin) + 1))
	for _, at := range f.At {
		b.counts[(at-first)/bin]++
	}
	highest := b.autocorrelation()
	threshold := b.threshold()
	b.periodogram(b.counts)
	best, strongest := 0.0, 0.0
	for k := baywatchCycles; k < len(b.power); k++ {
		strongest = max(strongest, b.power[k])
		if b.power[k] > threshold && highest > 0 {
			best = max(best, b.hill(k)/highest)
		}
	}
	if best > 0 {
		return min(best, 1)
	}
	if threshold == 0 {
		return -1
	}
	return min(strongest/threshold, 1) - 1
}

// smooth returns the least number from n on without prime factors over 5, which a fast Fourier transform is fast for.
func smooth(n int) int {
	for ; ; n++ {
		rest := n
		for _, p := range []int{2, 3, 5} {
			for rest%p == 0 {
				rest /= p
			}
		}
		if rest == 1 {
			return n
		}
	}
}

// reset makes room for n bins.
func (b *baywatch) reset(n int) {
	b.counts = grow(b.counts, n)
	if b.fft != nil && b.fft.Len() == n {
		return
	}
	b.fft, b.wide = fourier.NewFFT(n), fourier.NewFFT(2*n)
	b.spectrum, b.broad = make([]complex128, n/2+1), make([]complex128, n+1)
	b.power = make([]float64, n/2+1)
}

// periodogram fills power with the squared magnitude of each frequency of bins, counted in cycles per flow.
func (b *baywatch) periodogram(bins []float64) {
	b.fft.Coefficients(b.spectrum, bins)
	for k, c := range b.spectrum {
		b.power[k] = real(c)*real(c) + imag(c)*imag(c)
	}
}

// threshold returns the power that the strongest frequency of a random order of the bins exceeds once in twenty times.
func (b *baywatch) threshold() float64 {
	bins := append(b.shuffled[:0], b.counts...)
	b.shuffled = bins
	r := rand.New(rand.NewPCG(uint64(len(bins)), 1))
	b.strongest = b.strongest[:0]
	for range baywatchPermutations {
		r.Shuffle(len(bins), func(i, j int) { bins[i], bins[j] = bins[j], bins[i] })
		b.periodogram(bins)
		b.strongest = append(b.strongest, slices.Max(b.power[1:]))
	}
	slices.Sort(b.strongest)
	return b.strongest[baywatchPermutations*95/100-1]
}

// autocorrelation fills correlation with the autocorrelation of the counts less their mean (Wiener–Khinchin, the flow padded
// with as much silence) and returns that at lag 0.
func (b *baywatch) autocorrelation() float64 {
	n := len(b.counts)
	b.padded = grow(b.padded, 2*n)
	mean := 0.0
	for _, c := range b.counts {
		mean += c / float64(n)
	}
	for i, c := range b.counts {
		b.padded[i] = c - mean
	}
	b.wide.Coefficients(b.broad, b.padded)
	for k, c := range b.broad {
		b.broad[k] = complex(real(c)*real(c)+imag(c)*imag(c), 0)
	}
	b.correlation = b.wide.Sequence(b.padded, b.broad)[:n]
	return b.correlation[0]
}

// hill returns the top of the hill of the autocorrelation that frequency k is on: between the periods of its neighbours it
// must rise from both sides. 0 if it does not.
func (b *baywatch) hill(k int) float64 {
	n := float64(len(b.counts))
	lo := int(math.Floor((n/float64(k+1) + n/float64(k)) / 2))
	hi := min(int(math.Ceil((n/float64(k-1)+n/float64(k))/2)), len(b.correlation)-1)
	if lo < 2 {
		return 0 // a period of one bin is no period
	}
	lo--
	top := lo
	for lag := lo; lag <= hi; lag++ {
		if b.correlation[lag] > b.correlation[top] {
			top = lag
		}
	}
	if top == lo || top == hi {
		return 0
	}
	return b.correlation[top]
}
