package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/simulate"
)

// compare holds the rows against the senders' own record and prints one line for each sender. It reports whether every
// beacon is named with its interval, jitter, size and beats, and no benign neighbour is taken for one. Candidates of the
// live host do not matter here, wherever they rank.
func compare(w io.Writer, actors []*actor, rows []map[string]string) bool {
	fmt.Fprintf(w, "\nAgainst the senders' own record:\n")
	good := true
	for _, a := range slices.SortedFunc(slices.Values(actors), func(x, y *actor) int {
		return int(boolRank(x.beacon) - boolRank(y.beacon))
	}) {
		verdict := a.judge(rows)
		mark := "ok  "
		if verdict != "" {
			mark, good = "FAIL", false
		}
		fmt.Fprintf(w, "  %s %-12s %-31s %s", mark, filepath.Base(a.path), a.role, a.summary())
		if verdict != "" {
			fmt.Fprintf(w, ": %s", verdict)
		}
		fmt.Fprintln(w)
	}
	return good
}

func boolRank(beacon bool) int {
	if beacon {
		return 0
	}
	return 1
}

// judge returns what is wrong with the actor's row, or nothing.
func (a *actor) judge(rows []map[string]string) string {
	row := a.row(rows)
	if !a.beacon {
		if row != nil && figure.Number(row["score"]) >= 0.5 && row["insufficient"] == "0" {
			return fmt.Sprintf("a benign neighbour scored %s", row["score"])
		}
		return ""
	}
	switch sent := a.record(); {
	case row == nil:
		return "no row names it"
	case row["insufficient"] != "0":
		return fmt.Sprintf("%s beats were called insufficient", row["beats"])
	case figure.Number(row["score"]) < 0.5:
		return fmt.Sprintf("it scored only %s", row["score"])
	default:
		return disagreement(row, sent)
	}
}

// disagreement compares one row with one record.
func disagreement(row map[string]string, sent []simulate.Sent) string {
	gaps, sizes := measure(sent)
	if len(gaps) == 0 {
		return "the sender recorded nothing"
	}
	low, median, high := gaps[0], gaps[len(gaps)/2], gaps[len(gaps)-1]
	jitter := (high - low) / (high + low)
	interval := figure.Number(row["interval_ms"]) / 1000
	switch {
	case math.Abs(interval-median) > 0.1*median+jitter*median/2:
		return fmt.Sprintf("interval is %.2f s, it sent every %.2f s", interval, median)
	case math.Abs(figure.Number(row["jitter"])-jitter) > 0.12:
		return fmt.Sprintf("jitter is %.2f, it had %.2f", figure.Number(row["jitter"]), jitter)
	case math.Abs(figure.Number(row["size_bytes"])-sizes[len(sizes)/2]) > 1+0.02*sizes[len(sizes)/2]:
		return fmt.Sprintf("size is %s, it sent %.0f bytes", row["size_bytes"], sizes[len(sizes)/2])
	case math.Abs(figure.Number(row["beats"])-float64(len(sent))) > 1:
		return fmt.Sprintf("%s beats, it sent %d", row["beats"], len(sent))
	}
	return ""
}

// row is the candidate of the actor's executable and port.
func (a *actor) row(rows []map[string]string) map[string]string {
	for _, r := range rows {
		if r["path"] == a.path && r["remote_port"] == strconv.Itoa(int(a.port)) {
			return r
		}
	}
	return nil
}

// summary says what the actor recorded.
func (a *actor) summary() string {
	sent := a.record()
	gaps, sizes := measure(sent)
	if len(gaps) == 0 {
		return fmt.Sprintf("sent %d times", len(sent))
	}
	return fmt.Sprintf("sent %d times, every %.2f s (%.2f to %.2f), %.0f bytes", len(sent), gaps[len(gaps)/2], gaps[0],
		gaps[len(gaps)-1], sizes[len(sizes)/2])
}

// measure returns the gaps in seconds and the sizes in bytes of a record, each sorted.
func measure(sent []simulate.Sent) (gaps, sizes []float64) {
	for i, s := range sent {
		sizes = append(sizes, float64(s.Bytes))
		if i > 0 {
			gaps = append(gaps, time.Duration(s.UnixNano-sent[i-1].UnixNano).Seconds())
		}
	}
	slices.Sort(gaps)
	slices.Sort(sizes)
	return gaps, sizes
}
