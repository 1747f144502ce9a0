package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxInterval is the longest interval osquery schedules, in seconds (kMaxQueryInterval in osquery/config/packs.cpp).
const MaxInterval = 604_800

// MaxConfig is the largest configuration that every osquery 5 takes, in bytes.
const MaxConfig = 1 << 20

// osqueryPack and osqueryQuery are the keys of osquery's packs that are used here, in the order in which they are written:
// https://osquery.readthedocs.io/en/stable/deployment/configuration/#packs
type osqueryPack struct {
	Platform string         `json:"platform"`
	Queries  osqueryQueries `json:"queries"`
}

type osqueryQuery struct {
	Query       string `json:"query"`
	Interval    int    `json:"interval"`
	Snapshot    bool   `json:"snapshot,omitempty"`
	Removed     *bool  `json:"removed,omitempty"`
	Denylist    *bool  `json:"denylist,omitempty"`
	Description string `json:"description"`
	Value       string `json:"value"`
}

// osqueryQueries is an object in the order of the queries.
type osqueryQueries []Query

// MarshalJSON writes the queries as an object by name.
func (queries osqueryQueries) MarshalJSON() ([]byte, error) {
	return object(queries, func(q Query) (string, any) {
		out := osqueryQuery{Query: q.SQL + ";", Interval: q.Interval, Snapshot: q.Snapshot, Description: q.Purpose, Value: q.Value}
		if !q.Snapshot && !q.KeepRemoved {
			out.Removed = new(bool)
		}
		if !q.Denylist {
			out.Denylist = new(bool)
		}
		return q.Name, out
	})
}

// Osquery writes a pack for osquery's filesystem configuration.
func Osquery(queries []Query) ([]byte, error) {
	return indented(osqueryPack{Platform: "linux", Queries: queries})
}

// object writes items as one JSON object in their order.
func object[T any](items []T, member func(T) (string, any)) ([]byte, error) {
	var b bytes.Buffer
	for i, item := range items {
		name, value := member(item)
		if i > 0 {
			b.WriteByte(',')
		}
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(name); err != nil {
			return nil, fmt.Errorf("pack: %w", err)
		}
		b.WriteByte(':')
		if err := encoder.Encode(value); err != nil {
			return nil, fmt.Errorf("pack: %w", err)
		}
	}
	return append(append([]byte{'{'}, b.Bytes()...), '}'), nil
}

// indented writes v as JSON for people, with < and > as they are.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}
