package enrichment

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
)

// maxPaths bounds an index: 1 Mi paths of 16 bytes each.
const maxPaths = 1 << 20

// pathIndex finds the packages that may list a path. It has hashes only, so what it finds must be verified; the seed is
// its own, so that nobody can prepare paths that collide.
type pathIndex struct {
	seed    maphash.Seed
	entries []pathEntry
	// full: there was no room for all, so that what is not found may exist.
	full bool
}

type pathEntry struct {
	hash   uint64
	number uint32
}

// unrunnable is where packages keep what nobody executes: a third of all paths.
var unrunnable = []string{"/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/icons/", "/usr/include/"}

// add indexes a list of paths, one a line.
func (x *pathIndex) add(list []byte, number uint32) {
	if x.seed == (maphash.Seed{}) {
		x.seed = maphash.MakeSeed()
	}
	for line := range bytes.Lines(list) {
		line = bytes.TrimRight(line, "\n")
		if len(line) < 2 || slices.ContainsFunc(unrunnable, func(dir string) bool { return bytes.HasPrefix(line, []byte(dir)) }) {
			continue
		}
		if len(x.entries) >= maxPaths {
			x.full = true
			return
		}
		x.entries = append(x.entries, pathEntry{hash: maphash.Bytes(x.seed, line), number: number})
	}
}

// sort makes the index ready.
func (x *pathIndex) sort() {
	slices.SortFunc(x.entries, func(a, b pathEntry) int { return cmp.Compare(a.hash, b.hash) })
	x.entries = slices.Clip(x.entries)
}

// find returns the numbers of the packages that may list the path.
func (x *pathIndex) find(path string) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if len(x.entries) == 0 || strings.Contains(path, "\n") {
			return
		}
		hash := maphash.String(x.seed, path)
		i, _ := slices.BinarySearchFunc(x.entries, hash, func(e pathEntry, h uint64) int { return cmp.Compare(e.hash, h) })
		for ; i < len(x.entries) && x.entries[i].hash == hash; i++ {
			if !yield(x.entries[i].number) {
				return
			}
		}
	}
}
