package shell

import (
	"bytes"
	"strings"
)

// splitter collects lines of SQL and cuts them into statements. A statement ends at a ';' that is not in a string, a quoted
// name or a comment. Every byte is looked at once, however long a statement grows.
type splitter struct {
	text    []byte
	scanned int
	closing string // what ends the string, name or comment that is open at scanned
	content bool   // there is more than blanks and comments before scanned
}

// add appends a line, without its line feed.
func (s *splitter) add(line string) { s.text = append(append(s.text, line...), '\n') }

// next returns the next complete statement, without its ';'. Empty ones are passed over.
func (s *splitter) next() (statement string, ok bool) {
	for s.scanned < len(s.text) {
		rest := s.text[s.scanned:]
		if s.closing != "" {
			i := bytes.Index(rest, []byte(s.closing))
			if i < 0 {
				s.scanned = len(s.text)
				break
			}
			s.scanned += i + len(s.closing)
			s.closing = ""
			continue
		}
		switch c := rest[0]; {
		case c == ';':
			statement, ok = string(s.text[:s.scanned]), s.content
			*s = splitter{text: rest[1:]}
			if ok {
				return statement, true
			}
		case bytes.HasPrefix(rest, []byte("--")):
			s.open("\n", 2)
		case bytes.HasPrefix(rest, []byte("/*")):
			s.open("*/", 2)
		case c == '\'' || c == '"' || c == '`':
			s.content = true
			s.open(string(c), 1)
		case c == '[':
			s.content = true
			s.open("]", 1)
		default:
			s.content = s.content || !strings.ContainsRune(" \t\r\n", rune(c))
			s.scanned++
		}
	}
	return "", false
}

func (s *splitter) open(closing string, length int) {
	s.closing = closing
	s.scanned += length
}

// idle says that no statement, string or comment is open, so that a line may be a command.
func (s *splitter) idle() bool { return !s.content && s.closing == "" }

func isCommand(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), ".") }
