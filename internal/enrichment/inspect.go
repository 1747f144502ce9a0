package enrichment

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/pulse"
)

// recheckEvery is how often the package databases are looked at for changes.
const recheckEvery = 15 * time.Second

// inspectAll inspects files until ctx ends, and looks their packages up again when the databases have changed.
func (e *Enricher) inspectAll(ctx context.Context) {
	e.packages.refresh()
	e.hostPreload.Store(hostPreload(e.config.Root))
	recheck := time.NewTimer(pulse.After(recheckEvery))
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			e.discard()
			return
		case i := <-e.inspect:
			e.inspectOne(ctx, i)
		case <-recheck.C:
			began := time.Now()
			e.hostPreload.Store(hostPreload(e.config.Root))
			if e.packages.refresh() {
				e.reowned()
			}
			e.pause(ctx, e.inspecting, time.Since(began))
			recheck.Reset(pulse.After(recheckEvery))
		}
	}
}

// discard closes what is held open for inspections that will not be made.
func (e *Enricher) discard() {
	for {
		select {
		case i := <-e.inspect:
			i.close()
		default:
			return
		}
	}
}

// inspectOne finds the package of a file and its digests. Both are known at once.
func (e *Enricher) inspectOne(ctx context.Context, i inspection) {
	defer i.close()
	f := i.file
	began := time.Now()
	owner, known := e.ownerOf(f)
	e.pause(ctx, e.inspecting, time.Since(began))
	e.mu.Lock()
	f.unhashable = e.unhashable(f.key.file)
	hashed := f.sha256 != "" || f.unhashable
	e.mu.Unlock()
	var made sums
	if !hashed {
		made = e.digests(ctx, i, owner.Digest.Algorithm)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f.queued = false
	// not before the digest: the file of a package would look as if the package did not vouch for it
	f.owner, f.looked = owner, known
	if made.sha256 != "" {
		e.counters.hashed.Add(1)
		f.sha256, f.recorded = made.sha256, made.other
	}
}

// unhashable reports whether a file is not to be hashed at all.
func (e *Enricher) unhashable(f process.File) bool {
	return f.Mode&unix.S_IFMT != unix.S_IFREG || f.Size > e.config.MaxHash
}

// ownerOf looks the package of a file up; known is false if the databases cannot tell now. A file that its path does not
// lead to belongs to none.
func (e *Enricher) ownerOf(f *file) (owner Package, known bool) {
	if f.trail.path == "" {
		return Package{}, true
	}
	return e.packages.owner(f.trail.path)
}

// reowned looks the packages of all files up again. A file that its path no longer leads to keeps what was said of it: the
// package has since been upgraded, and what it records now is about another file.
func (e *Enricher) reowned() {
	e.mu.RLock()
	all := e.files.all()
	e.mu.RUnlock()
	m := ownMounts()
	for _, f := range all {
		if f.trail.path == "" {
			continue
		}
		if t, err := follow(f.trail.path, m); err != nil || t.file != f.key.file {
			continue
		}
		owner, looked := e.ownerOf(f)
		e.mu.Lock()
		if owner.Digest.Algorithm != f.owner.Digest.Algorithm {
			f.recorded, f.sha256, f.unhashable = "", "", false // the digest it needs now has not been made
		}
		f.owner, f.looked = owner, looked
		again := f.sha256 == "" && !f.unhashable && !f.queued
		f.queued = f.queued || again
		e.mu.Unlock()
		if !again {
			continue
		}
		select {
		case e.inspect <- inspection{file: f}:
		default:
			e.counters.dropped.Add(1)
			e.mu.Lock()
			f.queued = false
			e.mu.Unlock()
		}
	}
}

// digests hashes a file. There are none if it cannot be read now, or is not the one it was taken for; through another
// process that may be different.
func (e *Enricher) digests(ctx context.Context, i inspection, algorithm string) sums {
	is, f := i.file.key.file, i.opened
	if f == nil {
		if i.file.trail.path == "" || !isLocal(i.file.trail.at, ownMounts()) {
			return sums{}
		}
		opened, err := os.OpenFile(i.file.trail.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return sums{}
		}
		defer opened.Close()
		f = opened
	}
	if !same(f, is) {
		return sums{}
	}
	made, err := e.hash(ctx, f, algorithm)
	if err != nil || !same(f, is) {
		return sums{}
	}
	return made
}

// same reports whether an open file is the one it was taken for.
func same(f *os.File, is process.File) bool {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	return err == nil && process.FileOf(&st) == is
}
