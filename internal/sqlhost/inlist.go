package sqlhost

import (
	"strconv"
	"strings"
)

// maxListValues bounds the values of one IN list that is passed as one; a longer list arrives value by value.
const maxListValues = 10_000

// inList is an IN list of constants: column IN (3, 4).
//
// osquery 5.14 and later hand such a list to a table in one call if the column is INDEX|OPTIMIZED (osquery#8263, by
// sqlite3_vtab_in). The vtab package has no such call and SQLite offers the values one by one, so the host finds the list
// in the statement's text by a value of it. Widening an equality to the whole list is always right, because SQLite checks
// each row again. A list that is not all constants (IN (SELECT …)) arrives value by value, as before 5.14.
type inList struct {
	column string          // as written, without its table
	values []string        // without NULL and '', which osquery drops
	member map[string]bool // the values, and '' if it is there
}

// findLists returns the IN lists of constants in sql. NULL and ” are left out, as osquery drops them.
func findLists(sql string) []inList {
	var lists []inList
	s := scanner{sql: sql}
	var before token
	for {
		t := s.next()
		switch {
		case t.kind == tokenEnd:
			return lists
		case t.kind == tokenWord && strings.EqualFold(t.text, "in") && (before.kind == tokenWord || before.kind == tokenQuoted):
			if l := (inList{column: before.text, member: map[string]bool{}}); l.read(&s) {
				lists = append(lists, l)
			}
		}
		before = t
	}
}

// read reads "(literal, literal …)" and says whether that is what was there, with a value left.
func (l *inList) read(s *scanner) bool {
	if t := s.next(); t.kind != tokenSymbol || t.text != "(" {
		return false
	}
	for len(l.values) < maxListValues {
		t := s.next()
		sign := ""
		if t.kind == tokenSymbol && (t.text == "-" || t.text == "+") {
			sign = t.text
			t = s.next()
		}
		if t.kind != tokenWord || !strings.EqualFold(t.text, "null") {
			value, ok := constant(t, sign)
			if !ok {
				return false
			}
			if value != "" && !l.member[value] {
				l.values = append(l.values, value)
			}
			l.member[value] = true
		}
		switch t := s.next(); {
		case t.kind == tokenSymbol && t.text == ")":
			return len(l.values) > 0
		case t.kind != tokenSymbol || t.text != ",":
			return false
		}
	}
	return false
}

// constant returns the text of a literal. Only decimal integers count as numbers: others need SQLite to render them.
func constant(t token, sign string) (string, bool) {
	switch {
	case t.kind == tokenString && sign == "":
		return t.text, true
	case t.kind == tokenWord:
		v, err := strconv.ParseInt(sign+t.text, 10, 64)
		return strconv.FormatInt(v, 10), err == nil
	}
	return "", false
}

// listFor returns the first list on the column that holds value, or nil.
func listFor(lists []inList, column, value string) []string {
	for _, l := range lists {
		if l.member[value] && strings.EqualFold(l.column, column) {
			return l.values
		}
	}
	return nil
}
