package inventory

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config wires a Live inventory.
type Config struct {
	Files Files
	// Now defaults to time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Live is the inventory of a running sensor: the current set, replaced as a whole when its files are read again.
type Live struct {
	config  Config
	current atomic.Pointer[Set]
	failure atomic.Pointer[string]

	changing sync.Mutex // held while the set is changed or written about; guards stateDir
	stateDir string     // "" keeps nothing
}

// Status is what the status table says of the inventory.
type Status struct {
	Hash string
	// Error is what was wrong with the files when they were last read, or else the first rule that has expired; "" if all is well.
	Error          string
	Rules, Expired int
}

// Open reads the rules. It begins with what is good of the operator's and says in Status what is not, because a sensor without some
// rules is better than none; it fails only if the shipped ones are broken.
func Open(c Config) (*Live, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Live{config: c}
	set, findings, err := load(c.Files)
	if err != nil {
		return nil, err
	}
	if len(findings) > 0 {
		l.refuse(Invalid(findings), "inventory is incomplete, what is wrong is left out")
	}
	l.begin(set)
	return l, nil
}

// Reload reads the rules again. On an error the present set stays, and Status says why.
func (l *Live) Reload() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	set, err := Load(l.config.Files)
	if err != nil {
		l.refuse(err, "inventory refused, the present rules stay")
		return err
	}
	l.failure.Store(nil)
	l.begin(set)
	return nil
}

// refuse keeps why for Status and logs every place of it.
func (l *Live) refuse(why error, consequence string) {
	message := why.Error()
	l.failure.Store(&message)
	var invalid Invalid
	if !errors.As(why, &invalid) {
		l.config.Log.Error(consequence, "reason", why)
	}
	for _, f := range invalid {
		l.config.Log.Error(consequence, "finding", f.String())
	}
}

// begin warns of expired rules and makes set the current one.
func (l *Live) begin(set *Set) {
	for _, f := range set.Expired(l.config.Now()) {
		l.config.Log.Warn("inventory", "finding", f.String())
	}
	l.take(set)
}

// take makes set the current one, with the record of use of those of its rules that were there before.
func (l *Live) take(set *Set) {
	if old := l.current.Load(); old != nil {
		used := map[string]int64{}
		for _, r := range old.rules {
			used[r.fingerprint] = r.lastUsed.Load()
		}
		for _, r := range set.rules {
			r.lastUsed.Store(used[r.fingerprint])
		}
	}
	l.log(set)
	l.current.Store(set)
}

// log writes the change down where there is a place for it.
func (l *Live) log(set *Set) {
	if l.stateDir == "" {
		return
	}
	if err := logChange(l.stateDir, l.config.Now(), set); err != nil {
		l.config.Log.Warn("the change of rules is not logged", "reason", err)
	}
}

// Keep has the change log and the record of used rules kept in a state directory from now on, and continues what is there.
func (l *Live) Keep(stateDir string) {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.stateDir = stateDir
	set := l.current.Load()
	if err := loadUsage(stateDir, set); err != nil {
		l.config.Log.Warn("rules", "reason", err)
	}
	l.log(set)
}

// save writes the record of used rules.
func (l *Live) save() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	if l.stateDir == "" {
		return nil
	}
	return saveUsage(l.stateDir, l.current.Load())
}

// Set returns the current rules.
func (l *Live) Set() *Set { return l.current.Load() }

// Status returns what the status table says.
func (l *Live) Status() Status {
	set := l.Set()
	expired := set.Expired(l.config.Now())
	s := Status{Hash: set.Hash(), Rules: len(set.rules), Expired: len(expired)}
	if reason := l.failure.Load(); reason != nil {
		s.Error = *reason
	} else if len(expired) > 0 {
		s.Error = expired[0].String()
	}
	return s
}

// Run keeps the record of used rules on disk until ctx ends. failed is told why it could not.
func (l *Live) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		if err := l.save(); err != nil {
			failed(err)
		}
	}
}
