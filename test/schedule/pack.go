package schedule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// MaxInterval is osquery's longest interval, in seconds (kMaxQueryInterval in config/packs.cpp).
const MaxInterval = 604_800

// defaultInterval is --schedule_default_interval, in seconds.
const defaultInterval = 3600

// Pack is a pack's queries, in the order of their names.
type Pack struct {
	Name    string
	Queries []Query
}

// Query is one scheduled query.
type Query struct {
	Name     string
	SQL      string
	Interval int64 // seconds, 1 to MaxInterval
	Snapshot bool
	Removed  bool // rows that are gone are logged; true unless the pack says otherwise
}

// ParsePack reads a pack as it stands in a file of its own: an object with "queries", each with "query" and "interval", and
// perhaps "snapshot" and "removed". Where osqueryd would leave a query out with a warning, this fails. Keys that decide
// where a pack runs (platform, version, shard, discovery) are not looked at.
func ParsePack(name string, text []byte) (Pack, error) {
	var file struct {
		Queries map[string]struct {
			Query    string           `json:"query"`
			Interval *json.RawMessage `json:"interval"`
			Snapshot bool             `json:"snapshot"`
			Removed  *bool            `json:"removed"`
		} `json:"queries"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Pack{}, fmt.Errorf("pack %s: %w", name, err)
	}
	if len(file.Queries) == 0 {
		return Pack{}, fmt.Errorf("pack %s has no queries", name)
	}
	p := Pack{Name: name}
	for _, key := range slices.Sorted(maps.Keys(file.Queries)) {
		one := file.Queries[key]
		q := Query{Name: key, SQL: one.Query, Interval: defaultInterval, Snapshot: one.Snapshot, Removed: one.Removed == nil || *one.Removed}
		if q.SQL == "" {
			return Pack{}, fmt.Errorf("pack %s: query %s is empty", name, key)
		}
		if one.Interval != nil { // a number, or a number in a string: osquery takes both
			digits := string(*one.Interval)
			if unquoted, err := strconv.Unquote(digits); err == nil {
				digits = unquoted
			}
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 1 || n > MaxInterval {
				return Pack{}, fmt.Errorf("pack %s: interval of %s is %s, not 1 to %d seconds", name, key, digits, MaxInterval)
			}
			q.Interval = n
		}
		p.Queries = append(p.Queries, q)
	}
	return p, nil
}
