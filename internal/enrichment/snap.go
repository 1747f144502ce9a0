package enrichment

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// squashfs is SQUASHFS_MAGIC of linux/magic.h.
const squashfs = 0x73717368

// snap knows packages of snapd: each is a read-only squashfs image mounted at /snap/NAME/REVISION, which only root can do
// there. It records no digests of single files. Programs of a snap's base run at paths of the snap's own mount namespace and
// belong to none here; so do those of Flatpak, which run in a namespace of their own from beginning to end.
type snap struct{ root string }

func (snap) refresh() (bool, error) { return false, nil }
func (snap) len() int               { return 0 }

// owner implements database.
func (s snap) owner(path string) (Package, bool, bool) {
	for _, top := range []string{"/snap/", "/var/lib/snapd/snap/"} {
		rest, ok := strings.CutPrefix(path, top)
		if !ok {
			continue
		}
		parts := strings.SplitN(rest, "/", 3)
		if len(parts) < 3 || parts[1] == "current" {
			continue
		}
		dir := filepath.Join(s.root, top, parts[0], parts[1])
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil || st.Type != squashfs {
			continue
		}
		text, err := readFile(filepath.Join(dir, "meta/snap.yaml"), 1<<20)
		if err != nil {
			continue
		}
		return Package{Name: parts[0], Version: snapVersion(text, parts[1]), Manager: "snap"}, true, true
	}
	return Package{}, false, true
}

// snapVersion returns the version that a snap.yaml states at its top level, else its revision.
func snapVersion(text []byte, revision string) string {
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "version:"); ok {
			if v = strings.Trim(strings.TrimSpace(v), `"'`); v != "" && len(v) <= 64 {
				return v
			}
		}
	}
	return revision
}
