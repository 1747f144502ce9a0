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
	// Error is why the files were refused when they were last read, or else the first rule that has expired; "" if all is well.
	Error          string
	Rules, Expired int
}

// Open reads the rules. Where the operator's cannot be used it begins with what is shipped and says so in Status, because
// a sensor without rules is better than none; it fails only if the shipped ones are broken.
func Open(c Config) (*Live, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Live{config: c}
	err := l.Reload()
	if err == nil {
		return l, nil
	}
	set, shippedErr := Load(Files{Shipped: c.Files.Shipped, Roles: c.Files.Roles})
	if shippedErr != nil {
		return nil, shippedErr
	}
	l.take(set)
	return l, nil
}

// Reload reads the rules again. On an error the present set stays, and Status says why.
func (l *Live) Reload() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	set, err := Load(l.config.Files)
	if err != nil {
		message := err.Error()
		l.failure.Store(&message)
		l.complain(err)
		return err
	}
	l.failure.Store(nil)
	for _, f := range set.Expired(l.config.Now()) {
		l.config.Log.Warn("inventory", "finding", f.String())
	}
	l.take(set)
	return nil
}

// complain logs every place of an error.
func (l *Live) complain(err error) {
	var invalid Invalid
	if !errors.As(err, &invalid) {
		l.config.Log.Error("inventory refused, the present rules stay", "reason", err)
	}
	for _, f := range invalid {
		l.config.Log.Error("inventory refused, the present rules stay", "finding", f.String())
	}
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
