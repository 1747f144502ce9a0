package inventory

import "fmt"

// Finding is one thing about a rule file that a person should mend, with its place. Lines and columns count from 1; line 0: it is
// about the file as a whole.
type Finding struct {
	File         string
	Line, Column int
	Text         string
}

// String is the finding in one line: file:line:column: text.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text)
}

// Invalid is the error of rule files that were refused as a whole. It is never empty.
type Invalid []Finding

// Error names the first finding and counts the others.
func (e Invalid) Error() string {
	switch len(e) {
	case 1:
		return e[0].String()
	case 2:
		return e[0].String() + " (and 1 more)"
	}
	return fmt.Sprintf("%s (and %d more)", e[0], len(e)-1)
}
