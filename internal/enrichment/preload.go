package enrichment

import (
	"bytes"
	"path/filepath"
)

// hostPreload reports whether /etc/ld.so.preload names a library (ld.so(8)): names are separated by white space or colons,
// and "#" begins a comment.
func hostPreload(root string) bool {
	text, err := readFile(filepath.Join(root, "etc/ld.so.preload"), 1<<20)
	return err == nil && namesLibrary(text)
}

func namesLibrary(text []byte) bool {
	for line := range bytes.Lines(text) {
		line, _, _ = bytes.Cut(line, []byte{'#'})
		if len(bytes.Trim(line, ": \t\r\n")) > 0 {
			return true
		}
	}
	return false
}
