package fleet

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Rollup is a question with a name.
type Rollup struct {
	Name  string
	About string // one sentence
	SQL   string // with its comments
}

// Rollups reads all *.sql files at the root of a file system, in order of their names. The first line of each is a comment
// that says what it answers.
func Rollups(files fs.FS) ([]Rollup, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []Rollup
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		about, ok := strings.CutPrefix(first, "-- ")
		if !ok {
			return nil, fmt.Errorf("rollup %s does not begin with a comment that says what it answers", name)
		}
		all = append(all, Rollup{strings.TrimSuffix(path.Base(name), ".sql"), about, string(text)})
	}
	return all, nil
}
