package process

import (
	"strconv"
	"unicode/utf8"
)

// MaxText is the longest text about a process that is kept, in bytes: PATH_MAX of linux/limits.h.
const MaxText = 4096

// Printable returns s as it may stand in a row. What a process says of itself (its name, arguments, paths) may hold any
// byte, so all that is not printable text is escaped as in Go: control characters, invalid UTF-8 and characters without a
// shape, such as those that reverse the direction of writing or have no width (\n, \x1b, \u202e). Backslashes stay single,
// so that ordinary arguments read as typed. The result is valid UTF-8 of at most limit bytes, cut between characters.
func Printable(s string, limit int) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	out := make([]byte, 0, min(len(s), limit))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		before := len(out)
		switch {
		case r == utf8.RuneError && size == 1:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'x', hex[s[i]>>4], hex[s[i]&15])
		case strconv.IsPrint(r):
			out = append(out, s[i:i+size]...)
		default:
			quoted := strconv.QuoteRune(r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		if len(out) > limit {
			out = out[:before]
			break
		}
		i += size
	}
	return string(out)
}

// plain reports whether s is printable ASCII, which most text is.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
