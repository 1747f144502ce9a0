package corpus

import (
	"slices"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// flare is the score of Austin Taylor's FLARE with its defaults: the share of the gaps of at least two whole seconds that
// fall into the best two-second window around the commonest of them, given more than ten such gaps.
type flare struct {
	gaps []int
}

const (
	flareInterval    = 2 // seconds; shorter gaps are ignored
	flareOccurrences = 10
)

// score returns a number in [0, 1]; 0 without enough gaps.
func (f *flare) score(flow simulate.Flow) float64 {
	f.gaps = f.gaps[:0]
	for i := 1; i < len(flow.At); i++ {
		if gap := int(flow.At[i]/time.Second) - int(flow.At[i-1]/time.Second); gap >= flareInterval {
			f.gaps = append(f.gaps, gap)
		}
	}
	if len(f.gaps) <= flareOccurrences {
		return 0
	}
	slices.Sort(f.gaps)
	mode, run, most := 0, 0, 0
	for i, gap := range f.gaps {
		if i > 0 && gap != f.gaps[i-1] {
			run = 0
		}
		if run++; run > most {
			mode, most = gap, run
		}
	}
	return float64(max(f.within(mode-1, mode), f.within(mode, mode+1))) / float64(len(f.gaps))
}

// within counts the gaps in [lo, hi].
func (f *flare) within(lo, hi int) int {
	from, _ := slices.BinarySearch(f.gaps, lo)
	to, _ := slices.BinarySearch(f.gaps, hi+1)
	return to - from
}
