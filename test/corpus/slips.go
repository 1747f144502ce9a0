package corpus

import (
	"math"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// slips reads a flow as the Stratosphere project's Slips does: each send is a symbol made of how the gap before it compares
// with the one before that, how large it is and how long the gap was, with the published limits of those classes. Slips
// hands the word to a recurrent network trained on its captures, which is not ours to ship. What stands here is the model
// the project used before, a first-order Markov chain of the symbols: one of implants and one of other software, both from
// the tuned classes of internal/simulate under a seed of their own; the score is the log-likelihood ratio of the word.
// Sends have no duration, so that class is left out.
type slips struct {
	implant, other chain
}

const (
	slipsSizes, slipsTimes = 3, 5
	slipsSymbols           = 4 * slipsSizes * slipsTimes
	slipsLongest           = 500 // symbols that the network looks at
	slipsSeed              = 0x51195
	slipsFlows             = 30 // of each class, to learn from
)

// chain is how often, or with what logarithm of probability, one symbol follows another.
type chain [slipsSymbols][slipsSymbols]float64

// newSlips learns both chains. Every flow counts the same, however long.
func newSlips() *slips {
	s := new(slips)
	for _, c := range simulate.Classes() {
		if c.Use != simulate.Tuned || c.Kind == simulate.Periodic {
			continue
		}
		into := &s.other
		if c.Kind == simulate.Implant {
			into = &s.implant
		}
		for i := range slipsFlows {
			f := c.Flow(slipsSeed, i)
			weight := 100 / float64(len(f.At))
			word(f, func(from, to int) { into[from][to] += weight })
		}
	}
	s.implant.logarithms()
	s.other.logarithms()
	return s
}

// logarithms turns counts into logarithms of probabilities, one more in each place so that none is impossible.
func (c *chain) logarithms() {
	for i := range c {
		total := float64(slipsSymbols)
		for _, n := range c[i] {
			total += n
		}
		for j, n := range c[i] {
			c[i][j] = math.Log((n + 1) / total)
		}
	}
}

// score returns the log-likelihood ratio in nats.
func (s *slips) score(f simulate.Flow) float64 {
	ratio := 0.0
	word(f, func(from, to int) { ratio += s.implant[from][to] - s.other[from][to] })
	return ratio
}

// word calls step for each symbol of the newest sends with the one before it.
func word(f simulate.Flow, step func(from, to int)) {
	before := -1
	for i := max(2, len(f.At)-slipsLongest); i < len(f.At); i++ {
		symbol := symbolOf(f.At[i-1]-f.At[i-2], f.At[i]-f.At[i-1], f.Bytes[i])
		if before >= 0 {
			step(before, symbol)
		}
		before = symbol
	}
}

// symbolOf classes a send of so many bytes after a gap, by the gap before that one.
func symbolOf(last, gap time.Duration, bytes uint64) int {
	ratio := 1.0
	if last > 0 && gap > 0 {
		ratio = max(float64(gap)/float64(last), float64(last)/float64(gap))
	}
	periodicity := class(ratio, 1.05, 1.3, 5)
	size := class(float64(bytes), 250, 1100)
	length := class(gap.Seconds(), 5, 60, 300, 3600)
	return (periodicity*slipsSizes+size)*slipsTimes + length
}

// class returns how many of the rising limits x exceeds.
func class(x float64, limits ...float64) int {
	n := 0
	for _, limit := range limits {
		if x > limit {
			n++
		}
	}
	return n
}
