// Package pack turns queries, one .sql file each, into what runs them: packs of osquery, GitOps files of Fleet, packs of
// Elastic's osquery manager. Every file it writes and any other file of these kinds can be checked against the documented
// rules of its consumer. It runs no SQL: whoever checks says how a statement is prepared.
package pack

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Query is one .sql file: a header of comments and one statement.
type Query struct {
	// Name is the name of the file without .sql: the name of the query in every pack and in the logs.
	Name string
	// Purpose says what a row is, in a sentence or two. The first sentence is the title.
	Purpose string
	// Pack is detection, hunting, health or policy.
	Pack string
	// Attack holds ids of ATT&CK: techniques, analytics, detection strategies, data components.
	Attack         []string
	References     []string
	Tags           []string
	Platform       string
	Interval       int // seconds; 0 for a policy
	Snapshot       bool
	KeepRemoved    bool // removed rows are logged
	Denylist       bool // osquery may stop running it for a day if it is too dear
	FalsePositives []string
	Value          string
	Resolution     string // of a policy: what a person does about a failure
	SQL            string // the statement, without the header and its semicolon
}

// The packs that queries belong to. A policy is a query of Fleet that passes if it returns a row.
const (
	Detection = "detection"
	Hunting   = "hunting"
	Health    = "health"
	Policy    = "policy"
)

// Title is the first sentence of the purpose.
func (q *Query) Title() string {
	title, _, _ := strings.Cut(q.Purpose, ". ")
	return strings.TrimSuffix(title, ".")
}

// Techniques are the ids of ATT&CK techniques among Attack.
func (q *Query) Techniques() []string {
	return slices.DeleteFunc(slices.Clone(q.Attack), func(id string) bool { return id[0] != 'T' })
}

// Prepare compiles a statement without running it, and returns the names of its columns.
type Prepare func(sql string) (columns []string, err error)

// Load reads every .sql file at the top of a file system, sorted by pack and name. The error has a line for each mistake,
// with file and line.
func Load(fsys fs.FS) ([]Query, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	var (
		queries  []Query
		mistakes []error
	)
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("pack: %w", err)
		}
		q, err := Parse(path.Base(name), text)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		queries = append(queries, q)
	}
	slices.SortFunc(queries, func(a, b Query) int { return cmp.Or(cmp.Compare(a.Pack, b.Pack), cmp.Compare(a.Name, b.Name)) })
	return queries, errors.Join(mistakes...)
}

// Of returns the queries of one pack, in their order.
func Of(queries []Query, name string) []Query {
	return slices.DeleteFunc(slices.Clone(queries), func(q Query) bool { return q.Pack != name })
}
