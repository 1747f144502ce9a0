package enrichment

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// alias is a directory that is a symbolic link to another, so that what is in it has two paths. Packages may list either.
type alias struct{ link, target string }

// mergeable are the directories that distributions have merged into others ("usrmerge", and /usr/sbin into /usr/bin).
var mergeable = []string{"/usr/sbin", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr/lib64"}

// aliasesBelow finds the merged directories of a file system that begins at root.
func aliasesBelow(root string) []alias {
	var found []alias
	for _, link := range mergeable {
		target, err := os.Readlink(filepath.Join(root, link))
		if err != nil {
			continue
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(link), target)
		}
		found = append(found, alias{link: link, target: path.Clean(target)})
	}
	return found
}

// names returns the paths under which a file may be listed that is at p.
func names(p string, merged []alias) []string {
	all := []string{p}
	for i := 0; i < len(all) && len(all) < 16; i++ { // an alias may lead to another
		for _, a := range merged {
			if rest, ok := strings.CutPrefix(all[i], a.target+"/"); ok && !strings.HasPrefix(all[i], a.link+"/") {
				all = append(all, a.link+"/"+rest)
			}
		}
	}
	return all
}
