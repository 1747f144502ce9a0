package sqlhost

import (
	"strings"
)

// tokenKind is what the scanner tells apart; SQLite's tokenizer (tokenize.c) knows more.
type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a keyword, an identifier or a number
	tokenQuoted           // an identifier in "", `` or []
	tokenString           // a string literal in ''
	tokenSymbol           // one byte of anything else
)

type token struct {
	kind tokenKind
	text string // without quotes, doubled quotes undone
}

// scanner splits SQL into tokens. It never fails: what SQLite would refuse comes out as some token.
type scanner struct {
	sql string
	pos int
}

func (s *scanner) next() token {
	s.skipBlank()
	if s.pos >= len(s.sql) {
		return token{}
	}
	switch c := s.sql[s.pos]; {
	case c == '\'':
		return token{tokenString, s.quoted('\'')}
	case c == '"' || c == '`':
		return token{tokenQuoted, s.quoted(c)}
	case c == '[':
		return token{tokenQuoted, s.quoted(']')}
	case isWord(c):
		start := s.pos
		for s.pos < len(s.sql) && (isWord(s.sql[s.pos]) || s.sql[s.pos] == '.' && isDigit(s.sql[start])) {
			s.pos++
		}
		return token{tokenWord, s.sql[start:s.pos]}
	default:
		s.pos++
		return token{tokenSymbol, s.sql[s.pos-1 : s.pos]}
	}
}

// skipBlank passes white space, "--" comments and "/*" comments.
func (s *scanner) skipBlank() {
	for s.pos < len(s.sql) {
		rest := s.sql[s.pos:]
		switch {
		case strings.ContainsRune(" \t\r\n\f", rune(rest[0])):
			s.pos++
		case strings.HasPrefix(rest, "--"):
			s.pos += lengthThrough(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			s.pos += 2 + lengthThrough(rest[2:], "*/")
		default:
			return
		}
	}
}

func lengthThrough(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

// quoted reads from the opening quote through the closing one; a doubled closing quote stands for itself.
func (s *scanner) quoted(quote byte) string {
	s.pos++
	var b strings.Builder
	for s.pos < len(s.sql) {
		c := s.sql[s.pos]
		s.pos++
		if c == quote {
			if quote == ']' || s.pos >= len(s.sql) || s.sql[s.pos] != quote {
				break
			}
			s.pos++
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_' || c == '$' || c >= 0x80
}

// statements counts the statements in sql, up to 2.
func statements(sql string) int {
	s := scanner{sql: sql}
	count, open := 0, false
	for count < 2 {
		t := s.next()
		if t.kind == tokenEnd {
			break
		}
		if t.kind == tokenSymbol && t.text == ";" {
			open = false
			continue
		}
		if !open {
			open = true
			count++
		}
	}
	return count
}
