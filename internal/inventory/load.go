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
	// Dir is the operator's directory; files ending in .yaml and .yml are read. "": no rules.
	Dir string
	// Optional: Dir may be absent, because nobody has named it. Otherwise that is a finding.
	Optional bool
	// Roles of this host; files for other roles are checked, but their rules left out. One that no file is for is a finding.
	Roles []string
}

// Load reads and checks all files. The error is Invalid if it is about what an operator should mend; then it names every place.
func Load(f Files) (*Set, error) {
	set, findings, err := load(f)
	switch {
	case len(findings) > 0:
		return nil, Invalid(findings)
	case err != nil:
		return nil, err
	}
	return set, nil
}

// load makes a set of what is good, and says what is not: it leaves out the operator's files that have a mistake of their own, and
// all of them if they contradict each other. It fails only if the shipped ones are broken.
func load(f Files) (*Set, []Finding, error) {
	shipped, err := readShipped(f.Shipped)
	if err != nil {
		return nil, nil, err
	}
	own, findings := readOperator(f.Dir, f.Optional)
	if len(findings) == 0 { // a file that cannot be read may be for the role
		findings = unknownRoles(f.Roles, slices.Concat(own, shipped))
	}
	set, against := newSet(rulesFor(f.Roles, slices.Concat(own, shipped)))
	if len(against) == 0 {
		return set, findings, nil
	}
	findings = append(findings, against...)
	if set, against = newSet(rulesFor(f.Roles, shipped)); len(against) > 0 {
		return nil, findings, Invalid(against)
	}
	return set, findings, nil
}

// rulesFor are the rules of the files that are for one of the roles, or for all.
func rulesFor(roles []string, files []ruleFile) (rules []*Rule) {
	for i := range files {
		if files[i].appliesTo(roles) {
			rules = append(rules, files[i].rules...)
		}
	}
	return rules
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

func readShipped(from fs.FS) (files []ruleFile, err error) {
	if from == nil {
		return nil, nil
	}
	for _, dir := range []struct {
		pattern string
		source  Source
	}{{"roles/*.yaml", Role}, {"catalogue/*.yaml", Catalogue}} {
		names, err := fs.Glob(from, dir.pattern)
		if err != nil {
			return nil, fmt.Errorf("inventory: %w", err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(from, name)
			if err != nil {
				return nil, fmt.Errorf("inventory: %w", err)
			}
			file, findings := decode(name, dir.source, text)
			if len(findings) > 0 {
				return nil, Invalid(findings)
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// readOperator reads the rule files of the directory that are in order. What somebody other than root or ourselves could have
// written is refused: a rule is a permit.
func readOperator(dir string, optional bool) (files []ruleFile, findings []Finding) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && optional {
		return nil, nil
	}
	if err == nil {
		err = trusted(dir)
	}
	if err != nil {
		return nil, []Finding{ofFile(dir, err)}
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		ext := filepath.Ext(e.Name())
		return e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml"
	})
	if len(entries) > maxFiles {
		return nil, []Finding{{File: dir, Text: fmt.Sprintf("has %d rule files, at most %d are read", len(entries), maxFiles)}}
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		text, err := readTrusted(name)
		if err != nil {
			findings = append(findings, ofFile(name, err))
			continue
		}
		file, found := decode(name, Operator, text)
		if findings = append(findings, found...); len(found) == 0 {
			files = append(files, file)
		}
	}
	return files, findings
}

// readTrusted reads one byte more than a rule file may have at most, so that decoding can say so.
func readTrusted(name string) ([]byte, error) {
	if err := trusted(name); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

// ofFile is a finding about a file as a whole; its name is not said twice.
func ofFile(name string, err error) Finding {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return Finding{File: name, Text: err.Error()}
}

// trusted checks who can write name.
func trusted(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir() && !info.Mode().IsRegular():
		return errors.New("is no regular file")
	case !ok:
		return errors.New("its owner cannot be told")
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("belongs to user %d; rules must belong to root (chown root) or to the sensor's user", stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("can be written by others (mode %04o); take that away (chmod go-w)", info.Mode().Perm())
	}
	return nil
}
