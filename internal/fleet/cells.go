package fleet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"

	"github.com/beaconwatch/beaconwatch/internal/jsonscan"
)

// cells are the values of one row: those of Columns, and all of them as one JSON text.
type cells struct {
	columns []Column
	index   map[string]int
	values  []any // string, int64, float64 or nil, as columns
	members []member
	json    []byte
	role    string // what a decorator says that the host is, for a row whose own role is empty
}

type member struct {
	name  []byte // as in the text, escapes and all
	value jsonscan.Token
}

func newCells() cells {
	columns := Columns()
	c := cells{columns: columns, index: map[string]int{}, values: make([]any, len(columns))}
	for i, column := range columns {
		c.index[column.Name] = i
	}
	return c
}

// read takes in the object that is a row. Of a name given twice the last counts.
func (c *cells) read(object []byte) error {
	for i, column := range c.columns {
		c.values[i] = nil
		if column.Type == Text {
			c.values[i] = ""
		}
	}
	c.members = c.members[:0]
	sorted := true
	err := members(&jsonscan.Scanner{Text: object}, func(name []byte, value jsonscan.Token) error {
		if n := len(c.members); n > 0 && bytes.Compare(c.members[n-1].name, name) >= 0 {
			sorted = false
		}
		c.members = append(c.members, member{name, value})
		i, known := c.index[string(name)]
		if !known {
			return nil
		}
		var err error
		c.values[i], err = cell(c.columns[i].Type, value)
		return err
	})
	if err != nil {
		return err
	}
	if !sorted {
		c.sort()
	}
	c.write()
	c.name()
	c.play()
	return nil
}

// name gives a candidate of a sensor that did not name it the alert_id it would have: the SHA-256 of its signature.
func (c *cells) name() {
	id, signature := &c.values[c.index["alert_id"]], c.values[c.index["signature"]].(string)
	if *id == "" && signature != "" {
		sum := sha256.Sum256([]byte(signature))
		*id = hex.EncodeToString(sum[:])
	}
}

// play gives a row of a sensor that was not told its role the one that osquery's decorators say. Other rows have none.
func (c *cells) play() {
	if role := &c.values[c.index["role"]]; *role == "" && slices.ContainsFunc(c.members, func(m member) bool { return string(m.name) == "role" }) {
		*role = c.role
	}
}

// sort puts the members in order of their names, each once.
func (c *cells) sort() {
	slices.SortStableFunc(c.members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	kept := c.members[:0]
	for i, m := range c.members {
		if i+1 < len(c.members) && bytes.Equal(c.members[i+1].name, m.name) {
			continue
		}
		kept = append(kept, m)
	}
	c.members = kept
}

// write renders the row as JSON in one spelling: members sorted, no white space between them.
func (c *cells) write() {
	c.json = append(c.json[:0], '{')
	for i, m := range c.members {
		if i > 0 {
			c.json = append(c.json, ',')
		}
		c.json = append(append(append(c.json, '"'), m.name...), `":`...)
		if m.value.Kind == '"' {
			c.json = append(append(append(c.json, '"'), m.value.Raw...), '"')
		} else {
			c.json = append(c.json, m.value.Raw...)
		}
	}
	c.json = append(c.json, '}')
}

// hash identifies the row among those of one result.
func (c *cells) hash() [sha256.Size]byte { return sha256.Sum256(c.json) }

// cell turns a value into what the store holds. null is as good as absent.
func cell(t Type, value jsonscan.Token) (any, error) {
	if t == Text {
		v, _, err := text(value)
		return v, err
	}
	if value.Kind != '0' && value.Kind != '"' || !decimal(value.Raw) {
		return nil, nil
	}
	if t == Integer {
		if n, err := strconv.ParseInt(string(value.Raw), 10, 64); err == nil {
			return n, nil
		}
		return nil, nil
	}
	f, err := strconv.ParseFloat(string(value.Raw), 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, nil
	}
	return f, nil
}

// decimal says whether a number is written as JSON writes it, so that no engine reads it in another way: no sign but '-',
// no hexadecimal, no words.
func decimal(text []byte) bool {
	s := jsonscan.Scanner{Text: text}
	value, err := s.Value()
	return err == nil && value.Kind == '0' && s.End() == nil && len(value.Raw) == len(text)
}

// kind tells what the row is about.
func (c *cells) kind() string {
	has := func(name string) bool { return c.values[c.index[name]] != "" }
	return cmp.Or(
		when(has("signature"), kindCandidate),
		when(has("level"), kindStatus),
		when(has("finding"), kindFinding),
		when(has("path") && has("remote_address"), kindTraffic),
		when(has("path"), kindProgram),
		kindOther)
}

func when(holds bool, kind string) string {
	if holds {
		return kind
	}
	return ""
}
