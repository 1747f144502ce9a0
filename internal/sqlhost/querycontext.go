package sqlhost

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// constraint is one pushed-down comparison with its value as text.
type constraint struct {
	column int
	op     int
	expr   string
}

// contextBuilder writes the JSON query context a table receives, as TablePlugin::setRequestFromContext of osquery's
// core/tables.cpp does: every column is listed, sorted by name, with its constraints and affinity; then the columns used.
// What never changes is encoded once, because a JOIN asks for a context per outer row.
type contextBuilder struct {
	columns []contextColumn // sorted by name
}

type contextColumn struct {
	index int    // in the table's order
	name  string // as a JSON string
	open  string // {"name":"pid","list":[
	close string // ],"affinity":"BIGINT"}
}

func newContextBuilder(columns []column) contextBuilder {
	b := contextBuilder{make([]contextColumn, len(columns))}
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(columns[i].name, columns[j].name) })
	for i, index := range order {
		name := string(appendJSONString(nil, columns[index].name))
		b.columns[i] = contextColumn{
			index: index,
			name:  name,
			open:  `{"name":` + name + `,"list":[`,
			close: `],"affinity":"` + columns[index].kind + `"}`,
		}
	}
	return b
}

// append appends the context for constraints to dst. uses says which columns the statement reads, used is SQLite's mask.
func (b contextBuilder) append(dst []byte, constraints []constraint, p plan) []byte {
	dst = append(dst, `{"constraints":[`...)
	for i, c := range b.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.open...)
		first := true
		for _, k := range constraints {
			if k.column != c.index {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(dst, `{"op":`...)
			dst = strconv.AppendInt(dst, int64(k.op), 10)
			dst = append(dst, `,"expr":`...)
			dst = appendJSONString(dst, k.expr)
			dst = append(dst, '}')
		}
		dst = append(dst, c.close...)
	}
	dst = append(dst, `],"colsUsed":[`...)
	first := true
	for _, c := range b.columns {
		if !p.uses(c.index) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, c.name...)
	}
	dst = append(dst, `],"colsUsedBitset":`...)
	dst = strconv.AppendUint(dst, p.used, 10)
	return append(dst, '}')
}

// appendJSONString appends s quoted. Bytes that are not UTF-8 become U+FFFD, as encoding/json has it.
func appendJSONString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
