package enrichment

import (
	"errors"
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
	// refresh reads it again if it has changed since, and reports whether it has. As long as it cannot be read there is an error,
	// and nothing is known.
	refresh() (changed bool, err error)
	// owner returns the package that a path, without symbolic links, belongs to. known is false if that cannot be told.
	owner(path string) (p Package, found, known bool)
	// len is the number of installed packages.
	len() int
}

// packages asks the databases of a host, in turn. It is used by one goroutine, but for state.
type packages struct {
	databases []database

	mu        sync.Mutex // guards what follows; it is not held while anything is read
	installed int
	err       error
}

func newPackages(root string, rpmReader []string) *packages {
	return &packages{databases: []database{
		&dpkg{root: root, dir: filepath.Join(root, "var/lib/dpkg")},
		&rpm{root: root, reader: rpmReader},
		snap{root: root},
	}}
}

// refresh reads the databases that have changed and reports whether any has.
func (p *packages) refresh() bool {
	any, installed := false, 0
	var failed error
	for _, d := range p.databases {
		changed, err := d.refresh()
		any = any || changed
		failed = errors.Join(failed, err)
		installed += d.len()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.installed, p.err = installed, failed
	return any
}

// owner returns the package that a path belongs to, the zero Package if it belongs to none. known is false if a database
// that might have it cannot tell.
func (p *packages) owner(path string) (found Package, known bool) {
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
	return p.installed, p.err
}
