package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config wires a Live inventory.
type Config struct {
	Files Files
	// StateDir is where the change log and the record of used rules are kept; "" keeps neither.
	StateDir string
	// Now defaults to time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Live is the inventory of a running sensor: the current set, replaced as a whole when its files are read again.
type Live struct {
	config  Config
	current atomic.Pointer[Set]
	failure atomic.Pointer[string]
	reading sync.Mutex // held while files are read
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
	l.reading.Lock()
	defer l.reading.Unlock()
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
	if dir := l.config.StateDir; dir != "" {
		if err := logChange(dir, l.config.Now(), set); err != nil {
			l.config.Log.Warn("the change of rules is not logged", "reason", err)
		}
		if l.current.Load() == nil {
			if err := loadUsage(dir, set); err != nil {
				l.config.Log.Warn("rules", "reason", err)
			}
		}
	}
	if old := l.current.Load(); old != nil {
		used := map[string]int64{}
		for _, r := range old.rules {
			used[r.fingerprint] = r.lastUsed.Load()
		}
		for _, r := range set.rules {
			r.lastUsed.Store(used[r.fingerprint])
		}
	}
	l.current.Store(set)
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

// Run keeps the record of used rules on disk until ctx ends.
func (l *Live) Run(ctx context.Context) error {
	if l.config.StateDir == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	var failed string
	save := func() {
		err := saveUsage(l.config.StateDir, l.Set())
		if message := fmt.Sprint(err); err != nil && message != failed {
			l.config.Log.Warn("the record of used rules is not kept", "reason", err)
			failed = message
		}
	}
	for {
		select {
		case <-ctx.Done():
			save()
			return nil
		case <-tick.C:
			save()
		}
	}
}
