package process

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	tests := []struct {
		name, in string
		limit    int
		want     string
	}{
		{"ordinary text", `grep '\d' C:\x "quoted"`, 99, `grep '\d' C:\x "quoted"`},
		{"other scripts", "/home/ünïcødé/文件", 99, "/home/ünïcødé/文件"},
		{"control characters", "a\nb\tc\x00d\x1b[31m\x7f", 99, `a\nb\tc\x00d\x1b[31m\x7f`},
		{"invalid UTF-8", "a\xff\xc3(", 99, `a\xff\xc3(`},
		{"a surrogate", "\xed\xa0\x80", 99, `\xed\xa0\x80`},
		{"reversed writing", "gpj\u202eexe", 99, `gpj\u202eexe`},
		{"no width", "a\u200bb\u00a0c\ufeff", 99, `a\u200bb\u00a0c\ufeff`},
		{"the replacement character itself", "\ufffd", 99, "\ufffd"},
		{"cut at the limit", "abcdef", 3, "abc"},
		{"cut before a character that would not fit", "ab€", 4, "ab"},
		{"cut before an escape that would not fit", "ab\n", 3, "ab"},
		{"nothing fits", "€", 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, Printable(tt.in, tt.limit)) })
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x00\xff\u202e€", 7)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		got := Printable(s, limit)
		require.LessOrEqual(t, len(got), limit)
		require.True(t, utf8.ValidString(got))
		require.False(t, strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }))
		require.Equal(t, got, Printable(got, limit), "escaping twice changes nothing")
	})
}
