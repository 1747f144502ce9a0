package inventory

// Severity is the grade of a candidate for a person's attention.
type Severity uint8

// The grades.
const (
	Info Severity = iota
	Low
	Medium
	High
)

// String returns the word of the severity column.
func (s Severity) String() string { return [...]string{"info", "low", "medium", "high"}[min(s, High)] }

// rhythm is how much of a beacon the series is.
type rhythm uint8

const (
	noRhythm  rhythm = iota // below the threshold
	tentative               // above it, with too few beats to conclude anything
	regular                 // above it, with enough
	uniform                 // and with payloads of one size
)

func rhythmOf(r Rhythm) rhythm {
	switch {
	case !r.Found:
		return noRhythm
	case !r.Sufficient:
		return tentative
	case !r.Uniform:
		return regular
	}
	return uniform
}

// Weights of all suspicions together from which a column of the table begins.
const (
	someWeight  = 2
	muchWeight  = 4
	heavyWeight = 5
)

// severities is the documented table: a row for each rhythm, a column for each weight, from none to heavy. Without
// suspicion no rhythm gets above low.
var severities = [...][4]Severity{
	//           < 2   2, 3    4       >= 5
	noRhythm:  {Info, Info, Info, Info},
	tentative: {Info, Low, Low, Medium},
	regular:   {Low, Medium, Medium, High},
	uniform:   {Low, Medium, High, High},
}

// WouldBe is the grade of what no rule covers, with that rhythm and suspicions of those weights: the table, for explanations.
func WouldBe(r Rhythm, weights ...int) Severity {
	sum, heaviest := 0, 0
	for _, w := range weights {
		sum, heaviest = sum+w, max(heaviest, w)
	}
	return grade(false, rhythmOf(r), sum, heaviest)
}

// graveWeight is that of a suspicion which is worth a look by itself, whatever the rhythm.
const graveWeight = 5

// grade looks a severity up. What a rule covers is info, whatever its rhythm. Without a rhythm only one grave suspicion counts:
// many small ones are how new software looks.
func grade(covered bool, r rhythm, weight, heaviest int) Severity {
	switch {
	case covered:
		return Info
	case r == noRhythm && heaviest >= graveWeight:
		return Low
	}
	column := 0
	for _, from := range [...]int{someWeight, muchWeight, heavyWeight} {
		if weight >= from {
			column++
		}
	}
	return severities[r][column]
}
