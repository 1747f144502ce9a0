package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// whole reads text as one JSON value and nothing after it.
func whole(text []byte) error {
	s := Scanner{Text: text}
	if _, err := s.Value(); err != nil {
		return err
	}
	return s.End()
}

func TestScannerRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", ``, "broken JSON: ends where a value is due"},
		{"open object", `{"a":1`, `broken JSON: ends where ',' or '}' is due`},
		{"no colon", `{"a" 1}`, `broken JSON at byte 6: '1' where ':' is due`},
		{"trailing comma", `[1,]`, "broken JSON at byte 4: ']' where another element is due"},
		{"two values", `{} {}`, "broken JSON at byte 4: '{' where the end of the line is due"},
		{"leading zero", `01`, "broken JSON at byte 2: '1' where no digit after a leading zero is due"},
		{"bare fraction", `1.`, "broken JSON: ends where a digit is due"},
		{"bare word", `[nil]`, "broken JSON at byte 2: 'n' where a value is due"},
		{"control character", "\"a\tb\"", `broken JSON at byte 3: '\t' where a printable character is due`},
		{"bad escape", `"\x41"`, `broken JSON at byte 3: 'x' where an escape is due`},
		{"short escape", `"\u12"`, `broken JSON at byte 6: '"' where a hexadecimal digit is due`},
		{"open string", `"abc`, "broken JSON: ends where a closing quote is due"},
		{"too deep", strings.Repeat("[", 100), "JSON nested deeper than 64"},
		{"a NUL where the text could end", "{\x00", `broken JSON at byte 2: '\x00' where a name is due`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.EqualError(t, whole([]byte(tt.text)), tt.want) })
	}
}

func TestScannerTokens(t *testing.T) {
	tests := []struct{ name, text, kind, raw string }{
		{"string", ` "a\"b" `, `"`, `a\"b`},
		{"number", `-12.5e+3`, `0`, `-12.5e+3`},
		{"not a number", `NaN`, `N`, `NaN`},
		{"infinity", `-Infinity`, `N`, `-Infinity`},
		{"true", `true`, `t`, `true`},
		{"null", `null`, `n`, `null`},
		{"object", `{"a":[1,{}]}`, `{`, `{"a":[1,{}]}`},
		{"array", `[[],"]"]`, `[`, `[[],"]"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Scanner{Text: []byte(tt.text)}
			got, err := s.Value()
			require.NoError(t, err)
			require.NoError(t, s.End())
			require.Equal(t, tt.kind, string(got.Kind))
			require.Equal(t, tt.raw, string(got.Raw))
		})
	}
}

func TestScannerFinite(t *testing.T) {
	for text, want := range map[string]string{"[NaN]": "broken JSON at byte 2: 'N' where a digit is due", "-Infinity": "broken JSON at byte 2: 'I' where a digit is due"} {
		s := Scanner{Text: []byte(text), Finite: true}
		_, err := s.Value()
		require.EqualError(t, err, want)
	}
}

func TestUnquote(t *testing.T) {
	for raw, want := range map[string]string{`plain`: "plain", `a\"\u00e9\ud83d\ude00\/`: "a\"é😀/", "caf\xc3\xa9": "café",
		"bad \xff": "bad \ufffd"} {
		got, err := Unquote([]byte(raw))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// FuzzScanner holds the scanner to encoding/json: both accept the same texts, but for NaN and the infinities, and for
// what is nested deeper than we follow.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"id":"a","sends":[[1,2],[3.5,4e2]]}`, `[1,2,]`, `{"a":{"b":[null,true,false]}}`, `"\u00e9"`,
		`-0.0E-1`, `01`, ` {} `, `{"a":1,}`, `[NaN]`, "\xef\xbb\xbf{}", `{"a":-}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Infinity")) {
			return
		}
		err := whole(text)
		if err != nil && strings.Contains(err.Error(), "nested deeper") {
			return
		}
		require.Equal(t, json.Valid(text), err == nil, "%q: %v", text, err)
	})
}
