package enrichment

import (
	"sync/atomic"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// subject is a process that was examined. Once it can be found only the last two change.
type subject struct {
	// executable and script are the files it runs, nil if they are not known.
	executable, script *file
	// selfWritable, preload … are as in process.Facts.
	selfWritable, preload, environRead, terminal bool
	container                                    container

	// asked is when somebody wanted to know, by Enricher.now. unlinked: the executable was removed while the process ran.
	asked    atomic.Int64
	unlinked atomic.Bool
}

// facts puts together what is known of the process and its files. It needs Enricher.mu.
func (s *subject) facts() process.Facts {
	f := process.Facts{SelfWritable: s.selfWritable, Preload: s.preload, EnvironRead: s.environRead, Terminal: s.terminal,
		Image: s.container.image, ContainerName: s.container.name, Unlinked: s.unlinked.Load()}
	if x := s.executable; x != nil {
		is := x.key.file
		f.Examined = true
		f.Device, f.Inode, f.Size, f.Mode, f.Owner, f.Changed = is.Device, is.Inode, is.Size, is.Mode, is.Owner, is.At()
		f.SHA256, f.Elsewhere, f.Protected = x.sha256, x.elsewhere, x.trail.protected
		f.Package, f.PackageVersion, f.PackageManager = x.owner.Name, x.owner.Version, x.owner.Manager
		f.PackageKnown, f.Intact, f.Altered = x.looked, x.intact(), x.altered()
		f.FirstSeen, f.Initial = x.first, x.initial
	}
	if x := s.script; x != nil {
		f.ScriptPackage, f.ScriptIntact, f.ScriptAltered = x.owner.Name, x.intact(), x.altered()
		f.ScriptProtected = x.trail.protected
	}
	return f
}

// subjects is a bounded memory of processes; those met first go first. It is guarded by Enricher.mu.
type subjects struct {
	limit int
	byID  map[process.ID]*subject
	order []process.ID
}

// put remembers a process. Examined again it is asked for as before, and what it has removed stays so.
func (t *subjects) put(id process.ID, s *subject) {
	if t.byID == nil {
		t.byID = make(map[process.ID]*subject)
	}
	if old := t.byID[id]; old == nil {
		t.order = append(t.order, id)
	} else {
		s.asked.Store(old.asked.Load())
		if old.executable == s.executable && old.unlinked.Load() {
			s.unlinked.Store(true)
		}
	}
	t.byID[id] = s
	for len(t.order) > t.limit {
		delete(t.byID, t.order[0])
		t.order = t.order[1:]
	}
}
