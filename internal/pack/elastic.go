package pack

import (
	"fmt"
	"slices"
)

// elasticPack is the body of Kibana's POST /api/osquery/packs:
// https://www.elastic.co/docs/api/doc/kibana/operation/operation-osquerycreatepacks
type elasticPack struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Enabled     bool           `json:"enabled"`
	PolicyIDs   []string       `json:"policy_ids"`
	Schedule    string         `json:"schedule_type,omitempty"`
	Interval    int            `json:"interval,omitempty"`
	Queries     elasticQueries `json:"queries"`
}

type elasticQuery struct {
	Query    string   `json:"query"`
	Schedule string   `json:"schedule_type,omitempty"`
	Interval int      `json:"interval"`
	Timeout  int      `json:"timeout"`
	Platform string   `json:"platform"`
	Snapshot bool     `json:"snapshot"`
	Removed  bool     `json:"removed"`
	Mapping  mappings `json:"ecs_mapping"`
}

// mapping gives a field of the Elastic Common Schema a column's value, or a constant one.
type mapping struct {
	ecs    string
	column string
	value  []string
}

type mappings []mapping

// MarshalJSON writes the mappings as an object by ECS field.
func (m mappings) MarshalJSON() ([]byte, error) {
	return object(m, func(one mapping) (string, any) {
		if one.column != "" {
			return one.ecs, map[string]string{"field": one.column}
		}
		if len(one.value) == 1 {
			return one.ecs, map[string]string{"value": one.value[0]}
		}
		return one.ecs, map[string][]string{"value": one.value}
	})
}

type elasticQueries struct {
	queries  []Query
	mappings map[string]mappings
	schedule string
}

// MarshalJSON writes the queries as an object by name.
func (e elasticQueries) MarshalJSON() ([]byte, error) {
	return object(e.queries, func(q Query) (string, any) {
		return q.Name, elasticQuery{Query: q.SQL + ";", Schedule: e.schedule, Interval: q.Interval, Timeout: 60, Platform: q.Platform,
			Snapshot: q.Snapshot, Removed: q.KeepRemoved, Mapping: e.mappings[q.Name]}
	})
}

// Elastic writes the body that creates the pack in Kibana 8.5 to 9.4, or in 9.5 and later (scheduled), where an interval of
// a query counts only beside its schedule type.
func Elastic(name, description string, queries []Query, prepare Prepare, scheduled bool) ([]byte, error) {
	p := elasticPack{Name: name, Description: description, Enabled: true, PolicyIDs: []string{},
		Queries: elasticQueries{queries: queries, mappings: map[string]mappings{}}}
	if scheduled {
		p.Schedule, p.Queries.schedule = "interval", "interval"
		p.Interval = slices.MinFunc(queries, func(a, b Query) int { return a.Interval - b.Interval }).Interval
	}
	for _, q := range queries {
		columns, err := prepare(q.SQL)
		if err != nil {
			return nil, fmt.Errorf("pack: %s: %w", q.Name, err)
		}
		p.Queries.mappings[q.Name] = ecs(&q, columns)
	}
	return indented(p)
}
