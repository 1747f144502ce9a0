package inventory

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func globOf(t testing.TB, text string) glob {
	g, err := parseGlob(text)
	require.NoError(t, err)
	return g
}

func TestGlobMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"/usr/bin/curl", "/usr/bin/curl", true},
		{"/usr/bin/curl", "/usr/bin/curl2", false},
		{"/opt/*/agent", "/opt/acme/agent", true},
		{"/opt/*/agent", "/opt/acme/bin/agent", false},
		{"/opt/**", "/opt/acme/bin/agent", true},
		{"/opt/**", "/opt", false},
		{"/opt/**/agent", "/opt/acme/bin/agent", true},
		{"/opt/**/agent", "/opt/agent", false},
		{"/srv/app-?", "/srv/app-7", true},
		{"/srv/app-?", "/srv/app-", false},
		{"/srv/?", "/srv//", false},
		{"*.service", "backup.service", true},
		{"*.service", "a/b.service", false},
		{"[kernel]", "[kernel]", true},
		{"[kernel]", "k", false},
		{"**", "", true},
		{"***", "/a/b", true},
		{"a*a*a*a*a*b", strings.Repeat("a", 400), false},
	}
	for _, tt := range tests {
		g := globOf(t, tt.pattern)
		require.Equal(t, tt.want, g.match(tt.text), "%s on %s", tt.pattern, tt.text)
	}
	for _, bad := range []string{"", strings.Repeat("a", maxPattern+1)} {
		_, err := parseGlob(bad)
		require.Error(t, err)
	}
}

func TestGlobRelations(t *testing.T) {
	tests := []struct {
		a, b             string
		overlaps, covers bool // a covers b
	}{
		{"/opt/**", "/opt/*/agent", true, true},
		{"/opt/*/agent", "/opt/**", true, false},
		{"/opt/*/agent", "/opt/acme/*", true, false},
		{"/opt/a*", "/opt/*a", true, false},
		{"/opt/a*", "/opt/b*", false, false},
		{"/opt/?", "/opt/*", true, false},
		{"/opt/*", "/opt/?", true, true},
		{"/opt/*", "/opt/a/b", false, false},
		{"/a", "/a", true, true},
		{"**", "*", true, true},
		{"*", "**", true, false},
		{"a**", "**b", true, false},
	}
	for _, tt := range tests {
		a, b := globOf(t, tt.a), globOf(t, tt.b)
		require.Equal(t, tt.overlaps, a.overlaps(&b), "%s overlaps %s", tt.a, tt.b)
		require.Equal(t, tt.overlaps, b.overlaps(&a), "%s overlaps %s", tt.b, tt.a)
		require.Equal(t, tt.covers, a.covers(&b), "%s covers %s", tt.a, tt.b)
	}
}

func TestGlobDirectory(t *testing.T) {
	for pattern, want := range map[string]string{"/opt/*/agent": "/opt/", "/opt/acme/a?": "/opt/acme/", "/x": "/", "**": "",
		"/usr/lib/**": "/usr/lib/"} {
		g := globOf(t, pattern)
		require.Equal(t, want, g.directory(), pattern)
	}
}

// FuzzGlob compares matching with regular expressions, and the relations with matching.
func FuzzGlob(f *testing.F) {
	f.Add("/opt/*/agent", "/opt/**", "/opt/acme/agent")
	f.Add("?*?", "**a", "aaa")
	f.Fuzz(func(t *testing.T, a, b, text string) {
		if len(a) > 40 || len(b) > 40 || len(text) > 80 {
			return
		}
		ga, errA := parseGlob(a)
		gb, errB := parseGlob(b)
		if errA != nil || errB != nil {
			return
		}
		inA, inB := ga.match(text), gb.match(text)
		require.Equal(t, expression(a).MatchString(bytewise(text)), inA)
		require.Equal(t, ga.overlaps(&gb), gb.overlaps(&ga))
		if inA && inB {
			require.True(t, ga.overlaps(&gb))
		}
		if inB && ga.covers(&gb) {
			require.True(t, inA)
		}
		require.True(t, ga.covers(&ga))
		if inA {
			require.True(t, strings.HasPrefix(text, ga.directory()))
		}
	})
}

// TestRandomGlobsOverlapWhereATextShowsIt draws from a small alphabet, where texts that both match are common.
func TestRandomGlobsOverlapWhereATextShowsIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(alphabet string) string {
		b := make([]byte, 1+r.IntN(6))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	both := 0
	for range 20_000 {
		a, b, text := globOf(t, draw("ab/**?")), globOf(t, draw("ab/**?")), draw("ab/")
		if a.match(text) && b.match(text) {
			both++
			require.True(t, a.overlaps(&b), "%s and %s share %s", a.text, b.text, text)
		}
		if b.match(text) && a.covers(&b) {
			require.True(t, a.match(text), "%s covers %s but not %s", a.text, b.text, text)
		}
	}
	require.Greater(t, both, 200)
}

// expression is the same pattern as a regular expression over bytewise text.
func expression(pattern string) *regexp.Regexp {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '?':
			b.WriteString(`[^/]`)
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(`.*`)
			for i+1 < len(pattern) && pattern[i+1] == '*' {
				i++
			}
		case pattern[i] == '*':
			b.WriteString(`[^/]*`)
		default:
			b.WriteString(regexp.QuoteMeta(bytewise(pattern[i : i+1])))
		}
	}
	return regexp.MustCompile(`(?s)\A(?:` + b.String() + `)\z`)
}

// bytewise makes each byte a rune of its own, as globs see them.
func bytewise(s string) string {
	runes := make([]rune, len(s))
	for i := 0; i < len(s); i++ {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
