package corpus

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/beaconwatch/beaconwatch/internal/beacon"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// real writes the same comparison on real flows, unicast those of them to one host other than this one.
func (j *judgement) real(w io.Writer, flows, unicast []RealFlow) error {
	long := slices.DeleteFunc(slices.Clone(unicast), func(f RealFlow) bool { return len(f.At) < 10 })
	idle := slices.DeleteFunc(slices.Clone(unicast), func(f RealFlow) bool { return !f.Beacon && Periodic(f.Flow) })
	t := table(w, fmt.Sprintf("real flows: %s; unicast %s; unicast of 10 sends and more %s; unicast, benign software that keeps a "+
		"period by an independent check left out %s", tally(flows), tally(unicast), tally(long), tally(idle)))
	fmt.Fprintln(t, "scorer\tAUC\tTPR at 10 %\tunicast: AUC\tTPR at 10 %\tby class: AUC\t10 and more: AUC\tby class: AUC\t"+
		"no period: AUC\tTPR at 10 %\t")
	for _, s := range slices.Concat(j.scorers, Dear()) {
		all, ours, ten, aperiodic := scored(s, flows), scored(s, unicast), scored(s, long), scored(s, idle)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", s.Name,
			figure(AUC(all)), figure(Recall(all, ThresholdAt(all, 0.1)).Share),
			figure(AUC(ours)), figure(Recall(ours, ThresholdAt(ours, 0.1)).Share), figure(AUC(Macro(ours))),
			figure(AUC(ten)), figure(AUC(Macro(ten))),
			figure(AUC(aperiodic)), figure(Recall(aperiodic, ThresholdAt(aperiodic, 0.1)).Share))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return verdictsOn(w, unicast)
}

// verdictsOn writes what the rule does at the shipped threshold: which C2 it misses, what benign software it reports, and
// whether that software is periodic by a check of its own.
func verdictsOn(w io.Writer, flows []RealFlow) error {
	plain := make([]simulate.Flow, len(flows))
	for i, f := range flows {
		plain[i] = f.Flow
	}
	verdicts, err := Verdicts(plain)
	if err != nil {
		return err
	}
	found, of, reported, benign := 0, 0, 0, 0
	checks := map[Rhythm]int{}
	alarms := map[string][2]int{}
	t := table(w, "C2 flows of at least 10 beats below the shipped threshold")
	fmt.Fprintln(t, "id\tclass\tsends\tbeats\tinterval\tjitter\tshare\tchance\tevidence\tscore\t")
	for i, f := range flows {
		v := verdicts[i]
		fires := v.Score >= beacon.DefaultThreshold
		switch {
		case f.Beacon && v.Beats >= 10:
			of++
			if fires {
				found++
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.1f s\t%.2f\t%.2f\t%.2f\t%.1f\t%.2f\t\n", f.ID, f.Class, len(f.At), v.Beats,
				v.Interval.Seconds(), v.Jitter, v.TimingShare, v.TimingChance, v.Evidence, v.Score)
		case !f.Beacon:
			benign++
			n := alarms[f.Class]
			n[1]++
			if fires {
				reported++
				n[0]++
				checks[RhythmOf(f.Flow, v)]++
			}
			alarms[f.Class] = n
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "C2 of at least 10 beats found: %d of %d, %v\nbenign reported: %d of %d, %v\n", found, of, NewRate(found, of),
		reported, benign, NewRate(reported, benign))
	fmt.Fprintf(w, "of those, by an independent check: periodic within ±10 %% %d, within the stated band %d, neither %d\n",
		checks[Tight], checks[Stated], checks[Absent])
	a := table(w, "benign classes reported")
	fmt.Fprintln(a, "class\treported\tof\t")
	classes := slices.SortedFunc(maps.Keys(alarms), func(x, y string) int {
		return cmp.Or(cmp.Compare(alarms[y][0], alarms[x][0]), cmp.Compare(x, y))
	})
	for _, c := range classes {
		if n := alarms[c]; n[0] > 0 {
			fmt.Fprintf(a, "%s\t%d\t%d\t\n", c, n[0], n[1])
		}
	}
	return a.Flush()
}

func scored(s Scorer, flows []RealFlow) []Sample {
	samples := make([]Sample, len(flows))
	for i, f := range flows {
		samples[i] = Sample{Class: f.Class, Positive: f.Beacon, Score: s.Score(f.Flow), Weight: 1}
	}
	return samples
}

func tally(flows []RealFlow) string {
	beacons := 0
	for _, f := range flows {
		if f.Beacon {
			beacons++
		}
	}
	return fmt.Sprintf("%d C2, %d benign", beacons, len(flows)-beacons)
}
