package report

// grade is a severity and how many candidates have it.
type grade struct {
	Severity string
	Count    int
}

// severities, worst first. Candidates of recorded traffic, where no process is known, have none.
var severities = []string{"high", "medium", "low", "info", ""}

// grades counts the candidates by severity, those that found no room in the report included, and all together.
func grades(d Data) (all []grade, total int) {
	count := d.Graded
	if count == nil {
		count = map[string]int{}
		for _, c := range d.Candidates {
			count[c.Row["severity"]]++
		}
	}
	for _, s := range severities {
		if n := count[s]; n > 0 {
			all, total = append(all, grade{word(s, "ungraded"), n}), total+n
		}
	}
	return all, total
}

// group is the candidates of one program with one severity: a line of the summary, with the figures of the first.
type group struct {
	card
	More []card
}

// groups gathers cards by program and severity, in the order of the first of each.
func groups(cards []card) []group {
	var all []group
	place := map[[2]string]int{}
	for _, c := range cards {
		key := [2]string{c.Severity, c.Program}
		if i, ok := place[key]; ok {
			all[i].More = append(all[i].More, c)
			continue
		}
		place[key] = len(all)
		all = append(all, group{card: c})
	}
	return all
}

// words that the cards use and that not every reader knows.
var words = []fact{
	{"score", "the probability of a beacon where beacons and other programs are equally frequent, 0 to 1"},
	{"evidence", "how much more likely a beacon would send like this than chance would, in nats; it has no upper end, so that candidates can be ranked by it"},
	{"nat", "a factor of e (2.7) in likelihood: 3 nats are odds of 20 to 1, 7 nats of 1100 to 1"},
	{"confidence", "how much data stands behind the score, 0 to 1: few check-ins or a coarse clock lower it"},
	{"check-in", "sends that belong together, told from the next by a much longer silence; the gaps are those between check-ins"},
	{"by chance", "the share of gaps that a program without any rhythm would have in a band of that width"},
	{"severity", "rhythm, sizes and what speaks against the program together: high, medium, low, info"},
}
