// Package jsonscan walks JSON texts in place and names the byte at which a text is broken. It builds no values:
// encoding/json does that.
package jsonscan

import (
	"encoding/json"
	"fmt"
)

// maxDepth bounds how deep objects and arrays may nest.
const maxDepth = 64

// Scanner walks one JSON text (RFC 8259) token by token, in place and without allocating: slices it returns point into
// the text. NaN and Infinity, which some encoders write for numbers, are tokens of their own, so that a line holding one
// can be named for it; they are an error wherever a number is needed.
type Scanner struct {
	Text   []byte // not to be changed once the walk has begun
	Finite bool   // NaN and Infinity are broken JSON, as RFC 8259 has it
	pos    int
}

// Token is one value. Kind is the first byte of it: '"' with Raw the bytes between the quotes, '0' for any number, 'n',
// 't', 'f', '{' and '[' with Raw the whole nested text, and 'N' for NaN and the infinities.
type Token struct {
	Kind byte
	Raw  []byte
}

func (s *Scanner) broken(want string) error {
	if s.pos >= len(s.Text) {
		return fmt.Errorf("broken JSON: ends where %s is due", want)
	}
	return fmt.Errorf("broken JSON at byte %d: %q where %s is due", s.pos+1, s.Text[s.pos], want)
}

// Peek skips white space and returns the next byte, 0 at the end of the text.
func (s *Scanner) Peek() byte {
	for s.pos < len(s.Text) {
		c := s.Text[s.pos]
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
		s.pos++
	}
	return 0
}

func (s *Scanner) Expect(c byte) error {
	if s.Peek() != c || s.pos >= len(s.Text) {
		return s.broken(fmt.Sprintf("%q", c))
	}
	s.pos++
	return nil
}

// End checks that nothing follows the value.
func (s *Scanner) End() error {
	if s.Peek(); s.pos < len(s.Text) {
		return s.broken("the end of the line")
	}
	return nil
}

// Next steps to the next element of the object or array that closes with end, and reports whether there is one. The
// n-th call has n elements before it.
func (s *Scanner) Next(end byte, n int) (bool, error) {
	switch c := s.Peek(); {
	case c == end:
		s.pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		s.pos++
		if s.Peek() == end {
			return false, s.broken("another element")
		}
		return true, nil
	}
	return false, s.broken(fmt.Sprintf("',' or %q", end))
}

// Key reads the name of an object's member and the colon after it. Raw, so escapes are left in it.
func (s *Scanner) Key() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.broken("a name")
	}
	name, err := s.str()
	if err != nil {
		return nil, err
	}
	return name, s.Expect(':')
}

// Members walks an object. each is called with the name of a member, escapes left in it, and reads its value.
func (s *Scanner) Members(each func(name []byte) error) error {
	if err := s.Expect('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := s.Next('}', n)
		if err != nil || !more {
			return err
		}
		name, err := s.Key()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
	}
}

// Value reads one value of any kind.
func (s *Scanner) Value() (Token, error) { return s.nested(0) }

func (s *Scanner) nested(depth int) (Token, error) {
	switch c := s.Peek(); {
	case c == '"':
		raw, err := s.str()
		return Token{'"', raw}, err
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
		return Token{c, s.Text[start:s.pos]}, err
	}
	return Token{}, s.broken("a value")
}

// skip reads over an object or array and checks its syntax.
func (s *Scanner) skip(open byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	s.pos++
	for n := 0; ; n++ {
		more, err := s.Next(open+2, n) // '{' and '}', '[' and ']' are two apart
		if err != nil || !more {
			return err
		}
		if open == '{' {
			if _, err := s.Key(); err != nil {
				return err
			}
		}
		if _, err := s.nested(depth); err != nil {
			return err
		}
	}
}

func (s *Scanner) literal(word string, kind byte) (Token, error) {
	rest := s.Text[s.pos:]
	if len(rest) < len(word) || string(rest[:len(word)]) != word {
		return Token{}, s.broken("a value")
	}
	s.pos += len(word)
	return Token{kind, rest[:len(word)]}, nil
}

// str reads a string and returns what is between the quotes, escapes checked but left as they are.
func (s *Scanner) str() ([]byte, error) {
	s.pos++
	for start := s.pos; s.pos < len(s.Text); s.pos++ {
		switch c := s.Text[s.pos]; {
		case c == '"':
			s.pos++
			return s.Text[start : s.pos-1], nil
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
func (s *Scanner) escape() error {
	s.pos++
	if s.pos >= len(s.Text) {
		return s.broken("an escape")
	}
	switch s.Text[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.pos++
			if s.pos >= len(s.Text) || !isHex(s.Text[s.pos]) {
				return s.broken("a hexadecimal digit")
			}
		}
		return nil
	}
	return s.broken("an escape")
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// IsDigit reports an ASCII digit.
func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

func (s *Scanner) number() (Token, error) {
	start := s.pos
	if s.Text[s.pos] == '-' {
		s.pos++
	}
	whole := s.pos
	if !s.Finite && whole < len(s.Text) && (s.Text[whole] == 'N' || s.Text[whole] == 'I') {
		return s.notFinite(start)
	}
	if err := s.digits(); err != nil {
		return Token{}, err
	}
	if s.Text[whole] == '0' && s.pos > whole+1 {
		s.pos = whole + 1
		return Token{}, s.broken("no digit after a leading zero")
	}
	if s.pos < len(s.Text) && s.Text[s.pos] == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return Token{}, err
		}
	}
	if s.pos < len(s.Text) && s.Text[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.Text) && (s.Text[s.pos] == '+' || s.Text[s.pos] == '-') {
			s.pos++
		}
		if err := s.digits(); err != nil {
			return Token{}, err
		}
	}
	return Token{'0', s.Text[start:s.pos]}, nil
}

// notFinite reads the word of a number that began at start, perhaps with a sign.
func (s *Scanner) notFinite(start int) (Token, error) {
	word := "NaN"
	if s.Text[s.pos] == 'I' {
		word = "Infinity"
	}
	_, err := s.literal(word, 'N')
	return Token{'N', s.Text[start:s.pos]}, err
}

func (s *Scanner) digits() error {
	start := s.pos
	for s.pos < len(s.Text) && IsDigit(s.Text[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		return s.broken("a digit")
	}
	return nil
}

// Unquote returns the text of a string token, escapes resolved.
func Unquote(raw []byte) (string, error) {
	for _, c := range raw {
		if c == '\\' || c >= 0x80 {
			var text string
			err := json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &text)
			return text, err
		}
	}
	return string(raw), nil
}
