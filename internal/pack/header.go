package pack

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	queryName = regexp.MustCompile(`^[a-z][a-z0-9_]{2,62}$`)
	attackID  = regexp.MustCompile(`^(T\d{4}(\.\d{3})?|AN\d{4}|DET\d{4}|DC\d{4})$`)
)

// header collects the fields of a header and what is wrong with it.
type header struct {
	file     string
	values   map[string]string
	lists    map[string][]string
	lines    map[string]int
	last     int // the line after the header
	mistakes []error
}

func (h *header) wrong(line int, format string, a ...any) {
	h.mistakes = append(h.mistakes, fmt.Errorf("%s:%d: %s", h.file, line, fmt.Sprintf(format, a...)))
}

// Parse reads one .sql file. The header is a block of -- comments: the purpose in sentences, an empty comment, then fields,
// "key: value" or "key:" with an indented "* item" a line:
//
//	-- Programs that beacon and are not expected to.
//	--
//	-- pack: detection
//	-- attack: AN0597, T1071
//	-- references:
//	--   * https://attack.mitre.org/techniques/T1071/
//	-- …
//
// Unknown and missing fields are mistakes, each with file and line, as is a statement that is not one SELECT.
func Parse(file string, text []byte) (Query, error) {
	h := header{file: file, values: map[string]string{}, lists: map[string][]string{}, lines: map[string]int{}}
	purpose, statement := h.read(string(text))
	q := Query{Name: strings.TrimSuffix(file, ".sql"), Purpose: purpose, Denylist: true}
	if !queryName.MatchString(q.Name) {
		h.wrong(1, "a query is named by 3 to 63 lower-case letters, digits and _, beginning with a letter; %q is not", q.Name)
	}
	if purpose == "" {
		h.wrong(1, "the header does not begin with a sentence that says what a row is")
	}
	h.fill(&q)
	sql, err := oneSelect(statement)
	if err != nil {
		h.wrong(h.last, "%v", err)
	}
	q.SQL = sql
	return q, errors.Join(h.mistakes...)
}

// read splits a file into its purpose, its fields and its statement.
func (h *header) read(text string) (purpose, statement string) {
	var (
		sentences []string
		list      string // the field whose items follow
		rest      = text
	)
	for n := 1; ; n++ {
		line, after, _ := strings.Cut(rest, "\n")
		comment, is := strings.CutPrefix(line, "--")
		if !is {
			h.last = n
			return strings.Join(sentences, " "), strings.TrimSpace(rest)
		}
		rest = after
		comment = strings.TrimRight(comment, " \r")
		item, isItem := strings.CutPrefix(strings.TrimLeft(comment, " "), "* ")
		key, value, isField := strings.Cut(strings.TrimSpace(comment), ":")
		switch {
		case comment == "":
		case isItem && list != "":
			h.lists[list] = append(h.lists[list], strings.TrimSpace(item))
		case isItem:
			h.wrong(n, "an item belongs to no field")
		case isField && slices.Contains(fields, key):
			if h.lines[key] != 0 {
				h.wrong(n, "%s is said twice, first in line %d", key, h.lines[key])
			}
			h.lines[key] = n
			if h.values[key] = strings.TrimSpace(value); h.values[key] == "" {
				list = key
			}
		case len(h.lines) > 0:
			h.wrong(n, "%q is no field; fields are %s", key, strings.Join(fields, ", "))
		default:
			sentences = append(sentences, strings.TrimSpace(comment))
		}
	}
}

// fields are the known fields.
var fields = []string{"pack", "attack", "references", "tags", "platform", "interval", "mode", "removed", "denylist",
	"false positives", "value", "resolution"}

// fill moves the fields into q.
func (h *header) fill(q *Query) {
	q.Pack = h.word("pack", Detection, Hunting, Health, Policy)
	q.Platform = h.word("platform", "linux")
	q.Attack, q.Tags = h.words("attack"), h.words("tags")
	for _, id := range q.Attack {
		if !attackID.MatchString(id) {
			h.wrong(h.lines["attack"], "%q is no id of ATT&CK such as T1071, T1053.003, AN0597, DET0213 or DC0082", id)
		}
	}
	q.References, q.FalsePositives = h.items("references"), h.items("false positives")
	for _, r := range q.References {
		if u, err := url.Parse(r); err != nil || u.Scheme != "https" || u.Host == "" {
			h.wrong(h.lines["references"], "%q is no https address", r)
		}
	}
	q.Value = h.need("value")
	if q.Pack == Policy {
		q.Resolution = h.need("resolution")
		h.forbid("of a policy Fleet decides when it runs", "interval", "mode", "removed", "denylist")
		return
	}
	h.forbid("only a policy has one", "resolution")
	q.Interval = h.seconds("interval")
	q.Snapshot = h.word("mode", "differential", "snapshot") == "snapshot"
	q.KeepRemoved = !q.Snapshot && h.flag("removed", true)
	if q.Snapshot {
		h.forbid("a snapshot has no removed rows", "removed")
	}
	q.Denylist = h.flag("denylist", true)
}

func (h *header) need(key string) string {
	v := h.values[key]
	if v == "" {
		h.wrong(max(h.lines[key], 1), "the header has no %s", key)
	}
	return v
}

func (h *header) word(key string, known ...string) string {
	v := h.need(key)
	if v != "" && !slices.Contains(known, v) {
		h.wrong(h.lines[key], "%s is %q, not %s", key, v, strings.Join(known, " or "))
	}
	return v
}

func (h *header) words(key string) []string {
	v := h.need(key)
	if v == "" {
		return nil
	}
	words := strings.Split(v, ",")
	for i, w := range words {
		if words[i] = strings.TrimSpace(w); words[i] == "" {
			h.wrong(h.lines[key], "%s has an empty item", key)
			return nil
		}
	}
	return words
}

func (h *header) items(key string) []string {
	if len(h.lists[key]) == 0 {
		h.wrong(max(h.lines[key], 1), "the header has no %s, one * item a line", key)
	}
	return h.lists[key]
}

func (h *header) seconds(key string) int {
	v := h.need(key)
	n, err := strconv.Atoi(v)
	if v != "" && (err != nil || n < 1 || n > MaxInterval) {
		h.wrong(h.lines[key], "%s is %q, not 1 to %d seconds", key, v, MaxInterval)
	}
	return n
}

func (h *header) flag(key string, otherwise bool) bool {
	switch h.values[key] {
	case "":
		return otherwise
	case "true":
		return true
	case "false":
		return false
	}
	h.wrong(h.lines[key], "%s is %q, not true or false", key, h.values[key])
	return otherwise
}

func (h *header) forbid(reason string, keys ...string) {
	for _, key := range keys {
		if h.lines[key] != 0 {
			h.wrong(h.lines[key], "%s does not belong here: %s", key, reason)
		}
	}
}
