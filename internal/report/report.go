// Package report writes candidates as one HTML file that a person can read, keep and print without anything else: what was
// seen, how regular it is against chance, which process did it, what the sensor could not see, and what to do next. It gets
// rows as the tables give them and asks nobody itself; the file loads nothing.
package report

import (
	"bufio"
	_ "embed"
	"html/template"
	"io"
	"runtime"
	"sync"
	"time"
)

// Row is one row of a table, by column. A candidate may have one more, exited: 1 if its process is known to have ended.
type Row = map[string]string

// Data is what a report is of.
type Data struct {
	// Source says in words where the rows come from: a host, a file, a fleet.
	Source  string
	Version string
	// Generated is when the rows were asked for.
	Generated time.Time
	// Status is the row of beacon_sensor_status and Sources the rows of beacon_sensor_sources; empty for recorded traffic.
	Status  Row
	Sources []Row
	// Candidates are in the order in which they are to be read.
	Candidates []Candidate
	// Considered is how many candidates there are in all. Graded counts those of each severity that would be in the report if it had
	// room for all; nil if these are all.
	Considered int
	Graded     map[string]int
	// Codes explains reason codes and suspicions, by code; unknown ones are shown as they are.
	Codes map[string]string
}

// Candidate is a row of beacon_candidates with its micro-bursts, oldest first.
type Candidate struct {
	Row    Row
	Bursts []Burst
}

// Burst is a check-in: when it began, in milliseconds since the Unix epoch, and its payload in bytes.
type Burst struct {
	At    int64
	Bytes uint64
}

//go:embed report.html
var pageText string

//go:embed report.css
var styleText string

// page is parsed once; executing it changes nothing.
var page = template.Must(template.New("report").Parse(pageText))

// view is a report as the template reads it.
type view struct {
	Data
	Style      template.CSS
	When       string
	Cards      []card
	Groups     []group
	Grades     []grade
	Fit        int // candidates fit to be shown, those included that found no room
	Words      []fact
	Level      string
	Blind      []string
	Techniques []technique
}

// Write writes the report. Pictures are drawn on all cores.
func Write(w io.Writer, d Data) error {
	v := view{Data: d, Style: template.CSS(styleText), When: d.Generated.UTC().Format("2006-01-02 15:04:05 UTC"),
		Cards: make([]card, len(d.Candidates)), Level: d.Status["level"], Techniques: techniques, Words: words}
	v.Blind = blindSpots(d)
	var drawing sync.WaitGroup
	next := make(chan int)
	var failed error
	var once sync.Once
	for range runtime.GOMAXPROCS(0) {
		drawing.Go(func() {
			for i := range next {
				c, err := newCard(i+1, &d.Candidates[i], d.Codes)
				if err != nil {
					once.Do(func() { failed = err })
				}
				v.Cards[i] = c
			}
		})
	}
	for i := range d.Candidates {
		next <- i
	}
	close(next)
	drawing.Wait()
	if failed != nil {
		return failed
	}
	v.Groups = groups(v.Cards)
	v.Grades, v.Fit = grades(d)
	out := bufio.NewWriterSize(w, 64<<10)
	if err := page.Execute(out, v); err != nil {
		return err
	}
	return out.Flush()
}

func word(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
