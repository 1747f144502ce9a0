package pack

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checker collects what is wrong with one file, each in one sentence that begins with the file and the place.
type checker struct {
	file     string
	prepare  Prepare // nil: statements are not compiled
	columns  []string
	mistakes []error
}

func (c *checker) wrong(at, format string, a ...any) {
	where := c.file
	if at != "" {
		where += ": " + at
	}
	c.mistakes = append(c.mistakes, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, a...)))
}

func (c *checker) err() error { return errors.Join(c.mistakes...) }

// rule checks one value; at is its place in the file.
type rule func(c *checker, at string, v any)

// rules are the known keys of an object.
type rules map[string]rule

// object checks that v is an object with known keys only, and with the required ones, and returns it.
func (c *checker) object(at string, v any, known rules, required ...string) map[string]any {
	members, ok := v.(map[string]any)
	if !ok {
		c.wrong(at, "is %s, not an object", kind(v))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if check := known[key]; check != nil {
			check(c, join(at, key), members[key])
		} else {
			c.wrong(at, "unknown key %q; keys are %s", key, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	for _, key := range required {
		if _, there := members[key]; !there {
			c.wrong(at, "the key %q is missing", key)
		}
	}
	return members
}

// queries checks that v is an object of queries by name, and checks each, in the order of the names.
func (c *checker) queries(at string, v any, name *regexp.Regexp, what string, each rule) {
	queries, ok := v.(map[string]any)
	switch {
	case !ok:
		c.wrong(at, "is %s, not an object of queries by name", kind(v))
	case len(queries) == 0:
		c.wrong(at, "there is none")
	}
	for _, key := range slices.Sorted(maps.Keys(queries)) {
		if !name.MatchString(key) {
			c.wrong(at, "the name %q is not %s", key, what)
		}
		each(c, join(at, key), queries[key])
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// kind names the type of a decoded value.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case []any:
		return "a list"
	}
	return "an object"
}

func isText(c *checker, at string, v any) {
	if _, ok := v.(string); !ok {
		c.wrong(at, "is %s, not a string", kind(v))
	}
}

func isBool(c *checker, at string, v any) {
	if _, ok := v.(bool); !ok {
		c.wrong(at, "is %s, not true or false", kind(v))
	}
}

func isInteger(low, high int64, unit string) rule {
	return func(c *checker, at string, v any) {
		n, ok := v.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if !ok || err != nil || i < low || i > high {
			c.wrong(at, "is %s, not a whole number of %s from %d to %d", kind(v), unit, low, high)
		}
	}
}

func isMatch(pattern *regexp.Regexp, what string) rule {
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !pattern.MatchString(s) {
			c.wrong(at, "is %s, not %s", kind(v), what)
		}
	}
}

func isOneOf(known ...string) rule {
	return func(c *checker, at string, v any) {
		if s, ok := v.(string); !ok || !slices.Contains(known, s) {
			c.wrong(at, "is %s, not %s", kind(v), strings.Join(known, " or "))
		}
	}
}

// isWords checks a comma-separated list of known words in one string.
func isWords(known ...string) rule {
	return func(c *checker, at string, v any) {
		s, ok := v.(string)
		if !ok {
			c.wrong(at, "is %s, not words of %s in one string, comma-separated", kind(v), strings.Join(known, ", "))
			return
		}
		for word := range strings.SplitSeq(s, ",") {
			if word = strings.TrimSpace(word); !slices.Contains(known, word) {
				c.wrong(at, "the word %q is not one of %s", word, strings.Join(known, ", "))
			}
		}
	}
}

func isListOf(each rule) rule {
	return func(c *checker, at string, v any) {
		list, ok := v.([]any)
		if !ok {
			c.wrong(at, "is %s, not a list", kind(v))
		}
		for i, item := range list {
			each(c, fmt.Sprintf("%s[%d]", at, i), item)
		}
	}
}

// isStatement checks one SELECT, and that it compiles. Its columns are then those of the checker.
func isStatement(c *checker, at string, v any) {
	s, ok := v.(string)
	if !ok {
		c.wrong(at, "is %s, not SQL in a string", kind(v))
		return
	}
	sql, err := oneSelect(s)
	if err == nil && c.prepare != nil {
		c.columns, err = c.prepare(sql)
	}
	if err != nil {
		c.wrong(at, "%v", err)
	}
}

var versionPattern = regexp.MustCompile(`^\d+(\.\d+){0,2}$`)

var isVersion = isMatch(versionPattern, "a version such as 5.10.0")
