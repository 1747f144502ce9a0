// Package procfs reads the parts of /proc the sensor needs on hot paths, allocation-free and distrusting what it reads: the
// socket tables of /proc/net and the descriptors and status of processes. It knows formats only; it keeps no state about
// processes or sockets and draws no conclusions.
package procfs

import "path/filepath"

// FS is a proc file system (proc(5)) mounted somewhere. It is immutable and safe for concurrent use.
type FS struct {
	root string
}

// New returns the proc file system mounted at root; the empty root means /proc. Nothing is opened.
func New(root string) FS {
	if root == "" {
		root = "/proc"
	}
	return FS{root: filepath.Clean(root)}
}

// path joins elem below the root.
func (fs FS) path(elem ...string) string {
	return filepath.Join(append([]string{fs.root}, elem...)...)
}
