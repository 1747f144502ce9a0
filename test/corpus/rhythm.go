package corpus

import (
	"slices"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// Rhythm is what an independent look at a flow says about a verdict.
type Rhythm int

// Tight: the stated share of the gaps lies within ±10 % of one period. Stated: it lies within the stated band. Absent:
// neither, the verdict claims a rhythm that is not there.
const (
	Absent Rhythm = iota
	Tight
	Stated
)

// RhythmOf checks a verdict against the sends themselves, sharing no code with the scorer: each send is a beat, or sends
// with at most a tenth, a quarter or two fifths of the stated interval between them are; gaps of two and three intervals
// are missed beats, and the newest 512 gaps are looked at. The share may fall short of the stated one by a twentieth.
func RhythmOf(f simulate.Flow, v beacon.Result) Rhythm {
	const slack, tenth = 0.05, 0.1
	rhythm := Absent
	for _, silence := range []float64{0, 0.1, 0.25, 0.4} {
		gaps := beatGaps(f, silence*v.Interval.Seconds())
		if len(gaps) == 0 {
			continue
		}
		sorted := slices.Sorted(slices.Values(gaps))
		for _, period := range sorted {
			if shareWithin(sorted, period, tenth) >= v.TimingShare-slack {
				return Tight
			}
		}
		if shareWithin(sorted, v.Interval.Seconds(), v.Jitter) >= v.TimingShare-slack {
			rhythm = Stated
		}
	}
	return rhythm
}

// Periodic says, without asking any scorer, whether a flow keeps a period: with sends of less than a tenth or a quarter of
// it between them taken as one beat, three gaps in five lie within ±10 % of one, two or three times a period.
func Periodic(f simulate.Flow) bool {
	const most, tenth, typical = 0.6, 0.1, 0.5
	raw := slices.Sorted(slices.Values(beatGaps(f, 0)))
	for _, silence := range []float64{0, 0.1, 0.25} {
		// the gap length that covers half of the time stands for the period while merging
		half, long := typical*sum(raw), len(raw)-1
		for covered := raw[long]; covered < half; covered += raw[long] {
			long--
		}
		sorted := slices.Sorted(slices.Values(beatGaps(f, silence*raw[long])))
		if len(sorted) < fewestSends-1 {
			continue
		}
		for _, period := range sorted {
			if shareWithin(sorted, period, tenth) >= most {
				return true
			}
		}
	}
	return false
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// beatGaps returns the newest gaps, in seconds, between starts of beats; a beat ends when nothing was sent for longer than
// silence.
func beatGaps(f simulate.Flow, silence float64) []float64 {
	const newest = 512
	var gaps []float64
	start := f.At[0]
	for i := 1; i < len(f.At); i++ {
		if (f.At[i] - f.At[i-1]).Seconds() > silence {
			gaps = append(gaps, (f.At[i] - start).Seconds())
			start = f.At[i]
		}
	}
	return gaps[max(0, len(gaps)-newest):]
}

// shareWithin returns the share of the sorted gaps within period·(1 ± width), or the same band of two or three periods.
func shareWithin(sorted []float64, period, width float64) float64 {
	n, counted := 0, 0
	for _, k := range []float64{1, 2, 3} {
		lo, _ := slices.BinarySearch(sorted, k*period-width*period)
		hi, _ := slices.BinarySearch(sorted, k*period+width*period*(1+1e-9))
		n += max(0, hi-max(lo, counted))
		counted = max(counted, hi)
	}
	return float64(n) / float64(len(sorted))
}
