package inventory

import (
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// ruleFile is what one file says.
type ruleFile struct {
	roles []string // none for every role
	rules []*Rule
}

var (
	ruleName    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	sha256Value = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// decode reads a rule file. It never returns a rule that lacks something: where there is a finding, the file is of no use.
func decode(name string, source Source, text []byte) (ruleFile, []Finding) {
	d := &document{file: name}
	var file ruleFile
	if root := d.root(text); root != nil {
		present := d.fields(root, "the file", map[string]func(ast.Node){
			"role": func(n ast.Node) { file.roles = each(d, n, d.line) },
			"rules": func(n ast.Node) {
				if s, ok := n.(*ast.SequenceNode); ok {
					for _, item := range s.Values {
						file.rules = append(file.rules, d.rule(item, source))
					}
				} else {
					d.complain(n, "rules must be a list")
				}
			},
		})
		if present != nil && !present["rules"] {
			d.complain(root, "the file has no rules")
		}
	}
	if len(d.findings) > 0 {
		return ruleFile{}, d.findings
	}
	return file, nil
}

// rule reads one rule and checks what can be said of it alone.
func (d *document) rule(n ast.Node, source Source) *Rule {
	r := &Rule{Source: source, File: d.file}
	r.Line, r.Column = place(n)
	present := d.fields(n, "a rule", map[string]func(ast.Node){
		"name": func(n ast.Node) {
			r.Line, r.Column = place(n)
			var ok bool
			if r.Name, ok = d.text(n); ok && !ruleName.MatchString(r.Name) {
				d.complain(n, "the name %q must be 1 to 64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit", r.Name)
			}
		},
		"comment":        func(n ast.Node) { r.Comment = d.line(n) },
		"owner":          func(n ast.Node) { r.Owner = d.line(n) },
		"reference":      func(n ast.Node) { r.References = each(d, n, d.line) },
		"expires":        func(n ast.Node) { r.Expires = d.date(n) },
		"verdict":        func(n ast.Node) { r.Unexpected = d.verdict(n) },
		"program":        func(n ast.Node) { d.program(n, r) },
		"destinations":   func(n ast.Node) { d.destinations(n, r) },
		"period":         func(n ast.Node) { d.period(n, r) },
		"tolerate":       func(n ast.Node) { r.tolerates = each(d, n, d.tolerable) },
		"updates_itself": func(n ast.Node) { r.updates = d.truth(n) },
	})
	if present == nil {
		return r
	}
	for _, key := range required(source) {
		if !present[key] {
			d.add(r.Line, r.Column, "the rule has no %s: %s", key, whyRequired[key])
		}
	}
	if r.updates && source == Operator {
		d.add(r.Line, r.Column, "updates_itself is for shipped entries: an operator's rule does not ask when the file changed")
	}
	if len(r.tolerates) > 0 && (source != Operator || r.Unexpected) {
		d.add(r.Line, r.Column, "tolerate is for an operator's rules that expect something")
	}
	if present["program"] {
		d.sensible(r)
	}
	r.seal()
	return r
}

func required(source Source) []string {
	keys := []string{"name", "program", "destinations", "period"}
	if source == Operator {
		return append(keys, "comment", "owner", "expires")
	}
	return append(keys, "reference")
}

var whyRequired = map[string]string{
	"name":         "reports and rows call it by name",
	"program":      "say which program it is about",
	"destinations": "list where it may talk to, or write any",
	"period":       "say how often, such as 30s..5m, or write any",
	"comment":      "say why it exists",
	"owner":        "say whom to ask",
	"expires":      "give the last day it holds, such as 2027-06-30, so that somebody looks at it again",
	"reference":    "name the documentation it rests on",
}

// each applies read to the items of a list.
func each[T comparable](d *document, n ast.Node, read func(ast.Node) T) []T {
	var out []T
	var none T
	for _, item := range d.list(n) {
		if v := read(item); v != none {
			out = append(out, v)
		}
	}
	return out
}

// line reads a text of one line for people.
func (d *document) line(n ast.Node) string {
	s, ok := d.text(n)
	s = strings.Join(strings.Fields(s), " ")
	switch {
	case ok && s == "":
		d.complain(n, "this must say something")
	case len(s) > maxPattern:
		d.complain(n, "at most %d bytes, this has %d", maxPattern, len(s))
	}
	return s
}

func (d *document) date(n ast.Node) time.Time {
	s, ok := d.text(n)
	if !ok {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		d.complain(n, "%q is no date such as 2027-06-30", s)
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

func (d *document) verdict(n ast.Node) (unexpected bool) {
	s, ok := d.text(n)
	if ok && s != "expected" && s != "unexpected" {
		d.complain(n, "the verdict is expected (the default) or unexpected, not %q", s)
	}
	return s == "unexpected"
}

func (d *document) truth(n ast.Node) bool {
	s, ok := d.text(n)
	if ok && s != "true" && s != "false" {
		d.complain(n, "this must be true or false, not %q", s)
	}
	return s == "true"
}

// tolerable reads a suspicion that an operator's rule may put up with.
func (d *document) tolerable(n ast.Node) Code {
	s, ok := d.text(n)
	for _, c := range disqualifying {
		if s == string(c) {
			return c
		}
	}
	if ok {
		d.complain(n, "%q cannot be tolerated; one can tolerate %s", s, strings.Join(named(disqualifying, func(c Code) string { return string(c) }), ", "))
	}
	return ""
}

func (d *document) program(n ast.Node, r *Rule) {
	keys := map[string]func(ast.Node){}
	for dim := range dimensions {
		keys[dimensionKeys[dim]] = func(n ast.Node) {
			for _, item := range d.list(n) {
				if g, ok := d.pattern(item, dim); ok {
					r.program[dim] = append(r.program[dim], g)
				}
			}
		}
	}
	d.fields(n, "program", keys)
}

func (d *document) pattern(n ast.Node, dim dimension) (glob, bool) {
	s, ok := d.text(n)
	if !ok {
		return glob{}, false
	}
	g, err := parseGlob(s)
	switch {
	case err != nil:
		d.complain(n, "%s", err)
	case dim == bySHA256 && !sha256Value.MatchString(s):
		d.complain(n, "sha256 must be 64 hexadecimal digits in lower case (%s)", hex.EncodeToString([]byte{0x12, 0xab})+"…")
	case (dim == byPath || dim == byParent) && !strings.HasPrefix(s, "/") && s != "[kernel]":
		d.complain(n, "%q must be an absolute path, ? and * within and ** across directories", s)
	case dim == byPath && g.directory() == "/" && !g.literal:
		d.complain(n, "%q begins with a wildcard: name at least one directory", s)
	case (dim == byPath || dim == byScript) && openDirectory(s):
		d.complain(n, "%q is in a directory where anybody may put a program", s)
	case dim == byScript && !g.literal && !isScriptFile(s):
		d.complain(n, "%q must be an absolute path if it has wildcards", s)
	case strings.HasSuffix(s, deletedSuffix):
		d.complain(n, "leave %q out and tolerate deleted_executable instead", deletedSuffix)
	default:
		return g, true
	}
	return glob{}, false
}
