package enrichment

import (
	"path/filepath"
	"sync"
)

// Package is the package a file belongs to.
type Package struct {
	Name, Version string
	// Manager is "dpkg", "rpm" or "snap".
	Manager string
	// Digest is what the package records of the file, empty if it records none.
	Digest Digest
}

// Digest is what a file is recorded by.
type Digest struct {
	// Algorithm is md5, sha1, sha224, sha256, sha384 or sha512; Hex the digest in lower case.
	Algorithm, Hex string
}

// database is what one package manager knows of installed files.
type database interface {
	// refresh reads it again if it has changed since, and reports whether it has. An error means that it cannot be read; what
	// was known before is then forgotten.
	refresh() (changed bool, err error)
	// owner returns the package that a path, without symbolic links, belongs to. known is false if that cannot be told.
	owner(path string) (p Package, found, known bool)
	// len is the number of installed packages.
	len() int
}

// packages asks the databases of a host, in turn.
type packages struct {
	mu        sync.Mutex
	databases []database // guarded by mu
	err       error      // the latest, guarded by mu
}

func newPackages(root string, rpmReader []string) packages {
	return packages{databases: []database{
		&dpkg{root: root, dir: filepath.Join(root, "var/lib/dpkg")},
		&rpm{root: root, reader: rpmReader},
		snap{root: root},
	}}
}

// refresh reads the databases that have changed and reports whether any has.
func (p *packages) refresh() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = nil
	any := false
	for _, d := range p.databases {
		changed, err := d.refresh()
		any = any || changed
		if err != nil {
			p.err = err
		}
	}
	return any
}

// owner returns the package that a path belongs to, the zero Package if it belongs to none. known is false if a database
// that might have it cannot tell.
func (p *packages) owner(path string) (found Package, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known = true
	for _, d := range p.databases {
		owner, found, sure := d.owner(path)
		if found {
			return owner, true
		}
		known = known && sure
	}
	return Package{}, known
}

// state returns how many packages are installed and why a database could not be read.
func (p *packages) state() (installed int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.databases {
		installed += d.len()
	}
	return installed, p.err
}
