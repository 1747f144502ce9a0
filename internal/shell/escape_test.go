package shell

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode 宽":   "plain ünïcode 宽",
		"\x1b[31mred":       `\x1b[31mred`,
		"a\nb\tc\rd":        `a\nb\tc\rd`,
		"\u009b2J":          `\x9b2J`,
		"bad \xff byte":     `bad \xff byte`,
		"rtl \u202e":        `rtl \u{202e}`,
		"nul \x00 del \x7f": `nul \x00 del \x7f`,
		"\ufffd":            "\ufffd",
		"zero\u200bwidth":   `zero\u{200b}width`,
	} {
		require.Equal(t, want, escape(in))
	}
	require.Equal(t, "a\nb\\r", escapeExcept("a\nb\r", "\n"))
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b[2J\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		out := escape(s)
		require.True(t, utf8.ValidString(out))
		for _, r := range out {
			require.False(t, unsafeRune(r), "%q", out)
		}
		require.Equal(t, out, escape(out), "escaping twice changes nothing more")
	})
}
