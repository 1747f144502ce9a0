package inventory

import (
	"fmt"
	"strings"
)

// maxPattern bounds a pattern, in bytes.
const maxPattern = 512

// wildcards of a glob. Any other rune of its tokens stands for itself.
const (
	anyByte    = -1 - iota // ? one byte other than a slash
	anySegment             // * any number of bytes other than a slash
	anyPath                // ** any number of bytes
)

// glob is a pattern over a whole text: ? and * stay within a path segment, ** does not. All else is literal, so that
// "[kernel]" needs no escape.
type glob struct {
	text    string
	tokens  []int16
	literal bool
}

func parseGlob(text string) (glob, error) {
	g := glob{text: text, literal: true}
	switch {
	case text == "":
		return g, fmt.Errorf("a pattern must not be empty")
	case len(text) > maxPattern:
		return g, fmt.Errorf("a pattern may have %d bytes, this one has %d", maxPattern, len(text))
	}
	for i := 0; i < len(text); i++ {
		t := int16(text[i])
		switch {
		case t == '?':
			t = anyByte
		case strings.HasPrefix(text[i:], "**"):
			t = anyPath
			for i+1 < len(text) && text[i+1] == '*' {
				i++
			}
		case t == '*':
			t = anySegment
		}
		g.literal = g.literal && t >= 0
		g.tokens = append(g.tokens, t)
	}
	return g, nil
}

// positions is a set of places in a pattern, before its first token to behind its last.
type positions [maxPattern + 1]bool

// enter adds place i to s, and those behind it that need no input: a star may stand for nothing.
func (g *glob) enter(s *positions, i int) {
	for ; !s[i]; i++ {
		s[i] = true
		if i == len(g.tokens) || !star(g.tokens[i]) {
			return
		}
	}
}

func star(token int16) bool { return token == anySegment || token == anyPath }

// takes reports whether a token may stand for symbol: a byte, or a wildcard of another pattern, which it then covers.
func takes(token, symbol int16) bool {
	switch token {
	case anyPath:
		return true
	case anySegment:
		return symbol != '/' && symbol != anyPath
	case anyByte:
		return symbol != '/' && !star(symbol)
	}
	return token == symbol
}

// match reports whether the pattern matches all of s.
func (g *glob) match(s string) bool {
	if g.literal {
		return g.text == s
	}
	var now positions
	g.enter(&now, 0)
	for i := 0; i < len(s); i++ {
		if now = g.step(&now, int16(s[i])); now == (positions{}) {
			return false
		}
	}
	return now[len(g.tokens)]
}

// step returns the places reached from now by symbol.
func (g *glob) step(now *positions, symbol int16) (next positions) {
	for i, t := range g.tokens {
		switch {
		case !now[i] || !takes(t, symbol):
		case star(t):
			g.enter(&next, i)
		default:
			g.enter(&next, i+1)
		}
	}
	return next
}

// covers reports that every text o matches is matched by g, too. It is sure when it says so, and may miss a case in which
// several wildcards together cover what no single one does.
func (g *glob) covers(o *glob) bool {
	var now positions
	g.enter(&now, 0)
	for _, symbol := range o.tokens {
		if now = g.step(&now, symbol); now == (positions{}) {
			return false
		}
	}
	return now[len(g.tokens)]
}

// overlaps reports whether some text is matched by both.
func (g *glob) overlaps(o *glob) bool {
	switch {
	case g.literal:
		return o.match(g.text)
	case o.literal:
		return g.match(o.text)
	case !strings.HasPrefix(g.directory(), o.directory()) && !strings.HasPrefix(o.directory(), g.directory()):
		return false
	}
	// reached[i][j]: some text brings g to i and o to j
	reached := make([]positions, len(g.tokens)+1)
	reached[0][0] = true
	for i := 0; i <= len(g.tokens); i++ {
		for j := 0; j <= len(o.tokens); j++ {
			if !reached[i][j] {
				continue
			}
			atG, atO := i < len(g.tokens), j < len(o.tokens)
			if atG && star(g.tokens[i]) {
				reached[i+1][j] = true
			}
			if atO && star(o.tokens[j]) {
				reached[i][j+1] = true
			}
			if atG && atO && (takes(g.tokens[i], o.tokens[j]) || takes(o.tokens[j], g.tokens[i])) {
				reached[ahead(g.tokens, i)][ahead(o.tokens, j)] = true
			}
		}
	}
	return reached[len(g.tokens)][len(o.tokens)]
}

// ahead is the place after a token has stood for one byte: a star may stand for more.
func ahead(tokens []int16, i int) int {
	if star(tokens[i]) {
		return i
	}
	return i + 1
}

// directory is the longest literal prefix that ends in a slash: what every text that matches begins with.
func (g *glob) directory() string {
	end := strings.IndexAny(g.text, "*?")
	if end < 0 {
		end = len(g.text)
	}
	return g.text[:strings.LastIndexByte(g.text[:end], '/')+1]
}
