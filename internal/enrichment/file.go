package enrichment

import (
	"time"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// fileKey is a file at a place: what belongs to the place (package, directories) goes with it.
type fileKey struct {
	file process.File
	path string
}

// file is what is known of one. What follows key, trail, elsewhere, first and initial is guarded by Enricher.mu.
type file struct {
	key fileKey
	// trail is how the path leads to it, empty if it is elsewhere.
	trail     trail
	elsewhere bool
	first     time.Time
	initial   bool

	// used is a sequence number of its last use.
	used uint64
	// queued: it waits for its inspection, or is in it.
	queued bool
	// looked: its package was looked up. owner is that package, the zero Package if it has none.
	looked bool
	owner  Package
	// sha256 and recorded are its digests, the second by the algorithm its package uses; empty if they are not known.
	// unhashable: it never will be.
	sha256, recorded string
	unhashable       bool
}

func (f *file) intact() bool  { return f.recorded != "" && f.recorded == f.owner.Digest.Hex }
func (f *file) altered() bool { return f.recorded != "" && f.owner.Digest.Hex != "" && !f.intact() }

// done reports whether an inspection would find nothing more.
func (f *file) done() bool { return f.looked && (f.sha256 != "" || f.unhashable) }

// files is a bounded memory of files; those used longest ago go first. It is guarded by Enricher.mu.
type files struct {
	limit int
	byKey map[fileKey]*file
	uses  uint64
}

// get returns a file in use, nil if it is not known.
func (t *files) get(k fileKey) *file {
	f := t.byKey[k]
	if f != nil {
		t.uses++
		f.used = t.uses
	}
	return f
}

// put remembers a file, unless it is known: it returns that which is remembered.
func (t *files) put(f *file) *file {
	if known := t.get(f.key); known != nil {
		return known
	}
	if t.byKey == nil {
		t.byKey = make(map[fileKey]*file)
	}
	if len(t.byKey) >= t.limit {
		var victim *file
		for _, other := range t.byKey {
			if victim == nil || other.used < victim.used {
				victim = other
			}
		}
		delete(t.byKey, victim.key)
	}
	t.byKey[f.key] = f
	return t.get(f.key)
}

// all returns the files remembered.
func (t *files) all() []*file {
	all := make([]*file, 0, len(t.byKey))
	for _, f := range t.byKey {
		all = append(all, f)
	}
	return all
}
