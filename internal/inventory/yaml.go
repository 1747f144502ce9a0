package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of a rule file. A person must be able to review it.
const (
	maxFileBytes = 1 << 20
	maxNesting   = 32
	maxList      = 256
	maxFindings  = 50
)

// document reads YAML and remembers what is wrong with it, and where. It knows values by their place in the text, and is
// stricter than YAML: no anchors, aliases, merge keys or tags, which a reviewer would have to resolve by hand.
type document struct {
	file     string
	findings []Finding
}

// complain notes what is wrong with the value at n.
func (d *document) complain(n ast.Node, format string, a ...any) {
	line, column := place(n)
	d.add(line, column, format, a...)
}

func (d *document) add(line, column int, format string, a ...any) {
	if len(d.findings) < maxFindings {
		d.findings = append(d.findings, Finding{File: d.file, Line: line, Column: column, Text: fmt.Sprintf(format, a...)})
	}
}

// place is where a value begins. The library puts a mapping at its first colon; a person looks for its first key.
func place(n ast.Node) (line, column int) {
	switch v := n.(type) {
	case *ast.MappingNode:
		if len(v.Values) > 0 && !v.IsFlowStyle {
			n = v.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = v.Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	p := n.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1)
}

// root parses the text; nil without content, or if it is no YAML.
func (d *document) root(text []byte) ast.Node {
	switch {
	case len(text) > maxFileBytes:
		d.add(1, 1, "the file has %d bytes, at most %d are read", len(text), maxFileBytes)
		return nil
	case nesting(text) > maxNesting:
		d.add(1, 1, "the file nests deeper than %d", maxNesting)
		return nil
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			d.complain(doc.Body, "one document a file, this is the second")
			return nil
		}
		body = doc.Body
	}
	return body
}

func (d *document) syntax(err error) {
	var at yaml.Error
	line, column, message := 1, 1, err.Error()
	if errors.As(err, &at) {
		message = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			line, column = max(t.Position.Line, 1), max(t.Position.Column, 1)
		}
	}
	if strings.Contains(message, "alias") {
		message += `: text that begins with * or & needs quotes, as in "*.service"`
	}
	d.add(line, column, "%s", strings.Join(strings.Fields(message), " "))
}

// nesting is the most brackets open at a time, or list markers in a row, outside lines of comment: the library reads them by
// recursion.
func nesting(text []byte) int {
	deepest, open, markers := 0, 0, 0
	begins, commented := true, false // a line, and with a #
	for i, c := range text {
		if c == '\n' {
			begins, commented = true, false
		} else if begins && c != ' ' && c != '\t' {
			begins, commented = false, c == '#'
		}
		if commented {
			continue
		}
		switch c {
		case '[', '{':
			open++
		case ']', '}':
			open--
		case '-', '?', ':':
			if i+1 < len(text) && text[i+1] == ' ' {
				markers++
			}
			deepest = max(deepest, open, markers)
			continue
		case ' ', '\t':
			continue
		}
		markers = 0
		deepest = max(deepest, open)
	}
	return deepest
}

// fields hands each value of a mapping to the function of its key, and returns which keys were there. what says in an
// error what the mapping describes.
func (d *document) fields(n ast.Node, what string, keys map[string]func(ast.Node)) map[string]bool {
	var values []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	default:
		d.complain(n, "%s must be a mapping of keys to values", what)
		return nil
	}
	present := map[string]bool{}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			d.complain(v.Key, "%s has a key that is no plain word", what)
			continue
		}
		set := keys[key.Value]
		if set == nil {
			d.complain(v.Key, "%s has no key %q; known are %s", what, key.Value, words(keys))
			continue
		}
		present[key.Value] = true
		set(v.Value)
	}
	return present
}

func words[T any](keys map[string]T) string {
	var names []string
	for k := range keys {
		names = append(names, k)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// text returns the text of a scalar as it is written, numbers included.
func (d *document) text(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return d.printable(n, v.Value)
	case *ast.LiteralNode:
		return d.printable(n, strings.TrimSpace(v.Value.Value))
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return v.GetToken().Value, true
	case *ast.NullNode, nil:
		d.complain(n, "a value is missing here")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.complain(n, "anchors, aliases and tags are not read: write the value out")
	default:
		d.complain(n, "this must be one text or number; text with colons, such as an IPv6 network, needs quotes")
	}
	return "", false
}

func (d *document) printable(n ast.Node, s string) (string, bool) {
	for _, r := range s {
		if (r < ' ' && r != '\n') || r == 0x7f || r == '\uFFFD' {
			d.complain(n, "control characters and invalid UTF-8 are not allowed")
			return "", false
		}
	}
	return s, true
}

// list returns the items of a sequence, or n alone if it is none.
func (d *document) list(n ast.Node) []ast.Node {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return []ast.Node{n}
	}
	switch {
	case len(s.Values) == 0:
		d.complain(n, "an empty list: leave the key out or name something")
	case len(s.Values) > maxList:
		d.complain(n, "a list of %d, at most %d are read", len(s.Values), maxList)
		return nil
	}
	return s.Values
}
