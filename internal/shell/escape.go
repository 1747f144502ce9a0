package shell

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape returns s with everything a terminal might act on made visible: control characters, bytes that are not UTF-8, and
// the invisible format characters that reorder or hide text. A hostile command line can then neither move the cursor nor
// pretend to be another one.
func escape(s string) string { return escapeExcept(s, "") }

func escapeExcept(s, keep string) string {
	clean := true
	for _, r := range s {
		if unsafeRune(r) && !strings.ContainsRune(keep, r) {
			clean = false
			break
		}
	}
	if clean && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < utf8.RuneSelf && strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unsafeRune(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case unsafeRune(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

func escapeAll(values []string) []string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = escape(v)
	}
	return escaped
}

// unsafeRune reports C0 and C1 controls (C1's 0x9b starts an escape sequence like ESC [), line and paragraph separators,
// and format characters such as the bidirectional overrides.
func unsafeRune(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
