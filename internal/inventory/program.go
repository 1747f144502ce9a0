package inventory

import (
	"strconv"
	"strings"

	"github.com/beaconwatch/beaconwatch/internal/process"
)

// dimension is one property by which a rule may name a program.
type dimension int

const (
	byPath dimension = iota
	bySHA256
	byScript
	byUnit
	byCgroup
	byImage
	byContainer
	byPackage
	byUser
	byParent
	dimensions
)

// dimensionKeys are their names in rules.
var dimensionKeys = [dimensions]string{"path", "sha256", "script", "systemd_unit", "cgroup", "container_image", "container_name",
	"package", "user", "parent"}

// profile is what rules can name a program by: up to two values for each dimension, "" for none. It is the key of what is
// remembered for a program.
type profile [dimensions][2]string

// deletedSuffix is what the kernel puts behind the path of an executable that has been unlinked, d_path() in fs/d_path.c.
const deletedSuffix = " (deleted)"

func profileOf(s *Subject) profile {
	p, f := &s.Process, &s.Facts
	return profile{
		byPath:      {strings.TrimSuffix(p.Program.Path, deletedSuffix)},
		bySHA256:    {f.SHA256},
		byScript:    {p.Program.Script},
		byUnit:      {p.SystemdUnit},
		byCgroup:    {p.CgroupPath, p.Program.Workload},
		byImage:     {f.Image},
		byContainer: {f.ContainerName},
		byPackage:   {f.Package},
		byUser:      {p.Username, strconv.FormatUint(uint64(p.Program.UID), 10)},
		byParent:    {strings.TrimSuffix(p.ParentPath, deletedSuffix)},
	}
}

// criteria are the patterns a program must fit, all dimensions that have any.
type criteria [dimensions][]glob

// fits reports whether the program fits the dimensions in which.
func (c *criteria) fits(p *profile, which func(dimension) bool) bool {
	for d := range dimensions {
		if len(c[d]) > 0 && which(d) && !fitsOne(c[d], p[d]) {
			return false
		}
	}
	return true
}

func fitsOne(patterns []glob, values [2]string) bool {
	for i := range patterns {
		for _, v := range values {
			if v != "" && patterns[i].match(v) {
				return true
			}
		}
	}
	return false
}

func every(dimension) bool { return true }

// nominal are the dimensions that say which program is meant. The others say what must be true of it.
func nominal(d dimension) bool { return d != byUser && d != byPackage }

// includes reports whether every program that o fits is fitted by c, too. It may miss a case.
func (c *criteria) includes(o *criteria) bool {
	for d := range dimensions {
		if !within(pointersTo(c[d]), pointersTo(o[d]), (*glob).covers) {
			return false
		}
	}
	return true
}

// overlaps reports whether some program may fit both.
func (c *criteria) overlaps(o *criteria) bool {
	for d := range dimensions {
		if !meet(pointersTo(c[d]), pointersTo(o[d]), (*glob).overlaps) {
			return false
		}
	}
	return true
}

// specificity is how closely the criteria describe a program: dimensions first, then literal ones.
func (c *criteria) specificity() int {
	n := 0
	for d := range dimensions {
		if len(c[d]) > 0 {
			n += 2
			if all(c[d], func(g glob) bool { return g.literal }) {
				n++
			}
		}
	}
	return n
}

// baseName is the name of the executable of a path as the kernel says it, without the mark of a deleted one.
func baseName(path string) string {
	path = strings.TrimSuffix(path, deletedSuffix)
	return path[strings.LastIndexByte(path, '/')+1:]
}

// isScriptFile reports whether what an interpreter runs is a file that can be named for good.
func isScriptFile(script string) bool { return strings.HasPrefix(script, "/") }

// isInline reports whether an interpreter was given code instead of a file, see process.Script.
func isInline(path, script string) bool {
	if !process.IsInterpreter(path) {
		return false
	}
	switch script {
	case "-c", "-e", "-r", "-":
		return true
	}
	return false
}
