package replay

import (
	"encoding/json"
	"fmt"
)

// maxDepth bounds how deep objects and arrays may nest.
const maxDepth = 64

// scanner walks one JSON text (RFC 8259) token by token, in place and without allocating: slices it returns point into
// the text. NaN and Infinity, which some encoders write for numbers, are tokens of their own, so that a line holding one
// can be named for it; they are an error wherever a number is needed.
type scanner struct {
	text []byte
	pos  int
}

// token is one value. Kind is the first byte of it: '"' with Raw the bytes between the quotes, '0' for any number, 'n',
// 't', 'f', '{' and '[' with Raw the whole nested text, and 'N' for NaN and the infinities.
type token struct {
	Kind byte
	Raw  []byte
}

func (s *scanner) broken(want string) error {
	if s.pos >= len(s.text) {
		return fmt.Errorf("broken JSON: ends where %s is due", want)
	}
	return fmt.Errorf("broken JSON at byte %d: %q where %s is due", s.pos+1, s.text[s.pos], want)
}

// peek skips white space and returns the next byte, 0 at the end of the text.
func (s *scanner) peek() byte {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
		s.pos++
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c || s.pos >= len(s.text) {
		return s.broken(fmt.Sprintf("%q", c))
	}
	s.pos++
	return nil
}

// end checks that nothing follows the value.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.text) {
		return s.broken("the end of the line")
	}
	return nil
}

// next steps to the next element of the object or array that closes with end, and reports whether there is one. The
// n-th call has n elements before it.
func (s *scanner) next(end byte, n int) (bool, error) {
	switch c := s.peek(); {
	case c == end:
		s.pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		s.pos++
		if s.peek() == end {
			return false, s.broken("another element")
		}
		return true, nil
	}
	return false, s.broken(fmt.Sprintf("',' or %q", end))
}

// key reads the name of an object's member and the colon after it. Raw, so escapes are left in it.
func (s *scanner) key() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.broken("a name")
	}
	name, err := s.str()
	if err != nil {
		return nil, err
	}
	return name, s.expect(':')
}

// value reads one value of any kind.
func (s *scanner) value() (token, error) { return s.nested(0) }

func (s *scanner) nested(depth int) (token, error) {
	switch c := s.peek(); {
	case c == '"':
		raw, err := s.str()
		return token{'"', raw}, err
	case c >= '0' && c <= '9' || c == '-' || c == 'N' || c == 'I':
		return s.number()
	case c == 't':
		return s.literal("true", 't')
	case c == 'f':
		return s.literal("false", 'f')
	case c == 'n':
		return s.literal("null", 'n')
	case c == '{' || c == '[':
		start := s.pos
		err := s.skip(c, depth+1)
		return token{c, s.text[start:s.pos]}, err
	}
	return token{}, s.broken("a value")
}

// skip reads over an object or array and checks its syntax.
func (s *scanner) skip(open byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	s.pos++
	for n := 0; ; n++ {
		more, err := s.next(open+2, n) // '{' and '}', '[' and ']' are two apart
		if err != nil || !more {
			return err
		}
		if open == '{' {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		if _, err := s.nested(depth); err != nil {
			return err
		}
	}
}

func (s *scanner) literal(word string, kind byte) (token, error) {
	rest := s.text[s.pos:]
	if len(rest) < len(word) || string(rest[:len(word)]) != word {
		return token{}, s.broken("a value")
	}
	s.pos += len(word)
	return token{kind, rest[:len(word)]}, nil
}

// str reads a string and returns what is between the quotes, escapes checked but left as they are.
func (s *scanner) str() ([]byte, error) {
	s.pos++
	for start := s.pos; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start : s.pos-1], nil
		case c < 0x20:
			return nil, s.broken("a printable character")
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.broken("a closing quote")
}

// escape steps to the last byte of an escape sequence.
func (s *scanner) escape() error {
	s.pos++
	if s.pos >= len(s.text) {
		return s.broken("an escape")
	}
	switch s.text[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.pos++
			if s.pos >= len(s.text) || !isHex(s.text[s.pos]) {
				return s.broken("a hexadecimal digit")
			}
		}
		return nil
	}
	return s.broken("an escape")
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (s *scanner) number() (token, error) {
	start := s.pos
	if s.text[s.pos] == '-' {
		s.pos++
	}
	whole := s.pos
	if whole < len(s.text) && (s.text[whole] == 'N' || s.text[whole] == 'I') {
		return s.notFinite(start)
	}
	if err := s.digits(); err != nil {
		return token{}, err
	}
	if s.text[whole] == '0' && s.pos > whole+1 {
		s.pos = whole + 1
		return token{}, s.broken("no digit after a leading zero")
	}
	if s.pos < len(s.text) && s.text[s.pos] == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return token{}, err
		}
	}
	if s.pos < len(s.text) && s.text[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.text) && (s.text[s.pos] == '+' || s.text[s.pos] == '-') {
			s.pos++
		}
		if err := s.digits(); err != nil {
			return token{}, err
		}
	}
	return token{'0', s.text[start:s.pos]}, nil
}

// notFinite reads the word of a number that began at start, perhaps with a sign.
func (s *scanner) notFinite(start int) (token, error) {
	word := "NaN"
	if s.text[s.pos] == 'I' {
		word = "Infinity"
	}
	_, err := s.literal(word, 'N')
	return token{'N', s.text[start:s.pos]}, err
}

func (s *scanner) digits() error {
	start := s.pos
	for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		return s.broken("a digit")
	}
	return nil
}

// unquote returns the text of a string token, escapes resolved.
func unquote(raw []byte) (string, error) {
	for _, c := range raw {
		if c == '\\' || c >= 0x80 {
			var text string
			err := json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &text)
			return text, err
		}
	}
	return string(raw), nil
}
