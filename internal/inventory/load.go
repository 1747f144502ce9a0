package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxFiles bounds the files of a directory of rules.
const maxFiles = 256

// Files says where rules come from.
type Files struct {
	// Shipped holds catalogue/*.yaml and roles/*.yaml. They must be valid.
	Shipped fs.FS
	// Dir is the operator's directory; files ending in .yaml and .yml are read. "" or one that is not there: no rules.
	Dir string
	// Roles of this host; files for other roles are checked, but their rules left out.
	Roles []string
}

// Load reads and checks all files. The error is Invalid if it is about what files say; then it names every place.
func Load(f Files) (*Set, error) {
	var rules []*Rule
	var findings []Finding
	take := func(name string, source Source, text []byte) {
		file, found := decode(name, source, text)
		findings = append(findings, found...)
		if file.appliesTo(f.Roles) {
			rules = append(rules, file.rules...)
		}
	}
	if err := readOperator(f.Dir, take); err != nil {
		return nil, err
	}
	for _, shipped := range []struct {
		dir    string
		source Source
	}{{"roles", Role}, {"catalogue", Catalogue}} {
		if err := readShipped(f.Shipped, shipped.dir, shipped.source, take); err != nil {
			return nil, err
		}
	}
	if len(findings) > 0 {
		return nil, Invalid(findings)
	}
	set, findings := newSet(rules)
	if len(findings) > 0 {
		return nil, Invalid(findings)
	}
	return set, nil
}

// Parse makes a set of one file of rules alone, as if it were all the operator has, to see what it would do on a host with the
// roles. The error is Invalid, with name as the file.
func Parse(name string, text []byte, roles []string) (*Set, error) {
	file, findings := decode(name, Operator, text)
	if len(findings) > 0 {
		return nil, Invalid(findings)
	}
	if !file.appliesTo(roles) {
		file.rules = nil
	}
	set, findings := newSet(file.rules)
	if len(findings) > 0 {
		return nil, Invalid(findings)
	}
	return set, nil
}

func readShipped(from fs.FS, dir string, source Source, take func(string, Source, []byte)) error {
	if from == nil {
		return nil
	}
	names, err := fs.Glob(from, dir+"/*.yaml")
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
		take(name, source, text)
	}
	return nil
}

// readOperator hands each rule file of the directory to take. What somebody other than root or ourselves could have
// written is refused: a rule is a permit.
func readOperator(dir string, take func(string, Source, []byte)) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	if err := trusted(dir); err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		ext := filepath.Ext(e.Name())
		return e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml"
	})
	if len(entries) > maxFiles {
		return fmt.Errorf("inventory: %s has %d rule files, at most %d are read", dir, len(entries), maxFiles)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if err := trusted(name); err != nil {
			return err
		}
		text, err := readBounded(name)
		if err != nil {
			return fmt.Errorf("inventory: %w", err)
		}
		take(name, Operator, text)
	}
	return nil
}

// readBounded reads one byte more than a rule file may have at most, so that decoding can say so.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

// trusted checks who can write name.
func trusted(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("inventory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("inventory: %s is no regular file", name)
	case !ok:
		return fmt.Errorf("inventory: %s: its owner cannot be told", name)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("inventory: %s belongs to user %d; rules must belong to root (chown root) or to the sensor's user", name, stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("inventory: %s can be written by others (mode %04o); take that away (chmod go-w)", name, info.Mode().Perm())
	}
	return nil
}

// appliesTo reports whether the file is for one of the roles, or for all.
func (f *ruleFile) appliesTo(roles []string) bool {
	return fits(f.roles, func(r string) bool { return slices.ContainsFunc(roles, func(x string) bool { return sameRole(r, x) }) })
}

// sameRole compares role names as people write them: "web server", "Web-Server", "web_server".
func sameRole(a, b string) bool {
	plain := strings.NewReplacer("-", " ", "_", " ")
	return strings.EqualFold(strings.TrimSpace(plain.Replace(a)), strings.TrimSpace(plain.Replace(b)))
}

// SplitRoles splits the configured role into those it names: "web server, database server".
func SplitRoles(role string) []string {
	var roles []string
	for r := range strings.SplitSeq(role, ",") {
		if r = strings.TrimSpace(r); r != "" {
			roles = append(roles, r)
		}
	}
	return roles
}
