package enrichment

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/procfs"
)

const (
	// revisitEvery is the time between two looks at the processes that somebody asks for.
	revisitEvery = 10 * time.Second
	// interest is how long somebody counts as asking.
	interest = 3 * time.Minute
)

// revisit looks again at the processes asked for of late: what unlinks its own executable does so, as a rule, when it has long been
// running. One whose path leads to another file by now was upgraded, which is no removal.
func (x *examiner) revisit(ctx context.Context) {
	for id, s := range x.asked(x.now()) {
		began := time.Now()
		if x.unlinked(id, s) {
			s.unlinked.Store(true)
		}
		x.pause(ctx, x.examining, time.Since(began))
	}
}

// asked returns the processes that were asked for of late, and may have changed since.
func (x *examiner) asked(now time.Duration) map[process.ID]*subject {
	found := make(map[process.ID]*subject)
	x.mu.RLock()
	defer x.mu.RUnlock()
	for id, s := range x.subjects.byID {
		if now-time.Duration(s.asked.Load()) < interest && s.executable != nil && !s.unlinked.Load() {
			found[id] = s
		}
	}
	return found
}

// unlinked reports whether a process still runs the executable it was examined with, and that has no name any more.
func (x *examiner) unlinked(id process.ID, s *subject) bool {
	path := s.executable.key.path
	if strings.HasSuffix(path, deleted) {
		return false // its path says so already
	}
	p, err := x.fs.OpenPID(id.PID)
	if err != nil {
		return false
	}
	defer p.Close()
	var stat procfs.PIDStat
	link, err := p.Exe(&x.buffer)
	if err != nil || link != path+deleted || p.Stat(&x.buffer, &stat) != nil || stat.StartTicks != id.StartTicks {
		return false
	}
	if s.executable.elsewhere {
		return true // what its path leads to there is not for the sensor to ask
	}
	_, err = follow(path, ownMounts())
	return errors.Is(err, fs.ErrNotExist)
}
