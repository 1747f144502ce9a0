package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// settling is for how long after the record began first-seen times say nothing: everything is seen for the first time.
const settling = 24 * time.Hour

// saveEvery is how often a record that has changed is written.
const saveEvery = time.Minute

// FirstSeenConfig bounds a record; the zero value has the defaults. What was last seen longest ago is forgotten first.
type FirstSeenConfig struct {
	// MaxPrograms, MaxDestinations and MaxFiles default to 4096, 16384 and 4096.
	MaxPrograms, MaxDestinations, MaxFiles int
	// Now is the clock, default time.Now.
	Now func() time.Time
}

// FirstSeen remembers since when this host has had programs that talk, destinations they talk to, and files they run. It is
// safe for concurrent use and never waits for the disk.
type FirstSeen struct {
	now func() time.Time
	// saving is held by whoever writes; path is where, empty for nowhere.
	saving sync.Mutex
	path   string

	mu           sync.Mutex // guards what follows
	since        time.Time
	changed      bool
	programs     ages[process.Program]
	destinations ages[send.Destination]
	files        ages[process.File]
}

// Seen is what is known of when something was seen. Initial: First was within the first day of the record, when everything
// is seen for the first time and nothing follows from it.
type Seen struct {
	First, Last time.Time
	Initial     bool
}

// NewFirstSeen returns an empty record that begins now and is kept nowhere.
func NewFirstSeen(c FirstSeenConfig) *FirstSeen {
	limit := func(n, otherwise int) int {
		if n <= 0 {
			return otherwise
		}
		return n
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &FirstSeen{now: c.Now, since: seconds(c.Now()),
		programs:     ages[process.Program]{limit: limit(c.MaxPrograms, 4096)},
		destinations: ages[send.Destination]{limit: limit(c.MaxDestinations, 16384)},
		files:        ages[process.File]{limit: limit(c.MaxFiles, 4096)},
	}
}

// Load reads the record at path, in place of this one, and has it saved there from now on. If there is none the record
// begins now. An error says why what was there cannot be used (see Format.Read); the record then begins now as well.
func (f *FirstSeen) Load(path string) error {
	f.saving.Lock()
	defer f.saving.Unlock()
	f.path = path
	f.mu.Lock()
	f.changed = true
	f.mu.Unlock()
	err := firstSeenFormat.Read(path, f.decode)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Run saves the record now and then, and once more when ctx ends. failed is told why a record could not
// be saved, and that is tried again.
func (f *FirstSeen) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if err := f.Save(); err != nil {
			failed(err)
		}
	}
}

// Save writes the record if it is kept anywhere and has changed.
func (f *FirstSeen) Save() error {
	f.saving.Lock()
	defer f.saving.Unlock()
	if f.path == "" {
		return nil
	}
	record, changed := f.record()
	if !changed {
		return nil
	}
	err := firstSeenFormat.Write(f.path, record.encode)
	if err != nil {
		f.mu.Lock()
		f.changed = true
		f.mu.Unlock()
	}
	return err
}

// Forget empties the record, which begins anew.
func (f *FirstSeen) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since, f.changed = seconds(f.now()), true
	f.programs.at, f.destinations.at, f.files.at = nil, nil, nil
}

// Since is when the record began.
func (f *FirstSeen) Since() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.since
}

// SawProgram notes that a program talks now.
func (f *FirstSeen) SawProgram(p process.Program) Seen { return saw(f, &f.programs, p) }

// SawDestination notes that somebody talks to a destination now.
func (f *FirstSeen) SawDestination(d send.Destination) Seen { return saw(f, &f.destinations, d) }

// SawFile notes that a file is in use now.
func (f *FirstSeen) SawFile(file process.File) Seen { return saw(f, &f.files, lasting(file)) }

// Program returns what is known of a program; false if it was never seen, or is forgotten.
func (f *FirstSeen) Program(p process.Program) (Seen, bool) { return known(f, &f.programs, p) }

// Destination returns what is known of a destination; false if it was never seen, or is forgotten.
func (f *FirstSeen) Destination(d send.Destination) (Seen, bool) { return known(f, &f.destinations, d) }

// lasting leaves out what may change when the host starts: the number of the device.
func lasting(file process.File) process.File {
	file.Device = 0
	return file
}

func saw[K comparable](f *FirstSeen, a *ages[K], k K) Seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := seconds(f.now())
	if now.Before(f.since) {
		now = f.since // the clock was set back; nothing is older than the record
	}
	s, changed := a.saw(k, now)
	f.changed = f.changed || changed
	return f.seen(s)
}

func known[K comparable](f *FirstSeen, a *ages[K], k K) (Seen, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := a.at[k]
	return f.seen(s), ok
}

// seen needs mu.
func (f *FirstSeen) seen(s span) Seen {
	first := time.Unix(s.first, 0).UTC()
	return Seen{First: first, Last: time.Unix(s.last, 0).UTC(), Initial: first.Sub(f.since) < settling}
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
