package pack

import (
	"maps"
	"regexp"
	"slices"
)

var (
	elasticName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	ecsField    = regexp.MustCompile(`^(message|tags|labels|@timestamp|[a-z_]+(\.[a-z0-9_]+)+)$`)
)

// CheckElastic checks a pack for Elastic's osquery manager against the documented body of Kibana's create-pack API: known keys
// and types, intervals and time-outs (60 s to a day), platforms, and that every mapped column is one of the query.
func CheckElastic(file string, text []byte, prepare Prepare) error {
	c := &checker{file: file, prepare: prepare}
	v, err := strictJSON(text)
	if err != nil {
		c.wrong("", "%v", err)
		return c.err()
	}
	schedule := isOneOf("interval", "rrule")
	p := c.object("", v, rules{
		"name": isMatch(elasticName, "letters, digits, _ and -"), "description": isText, "enabled": isBool, "policy_ids": isListOf(isText),
		"shards": isShards, "schedule_type": schedule,
		"interval": isInteger(1, MaxInterval, "seconds"), "platform": isWords("linux", "darwin", "windows"),
		"min_osquery_version": isVersion, "queries": elasticQueriesRule,
	}, "name", "queries")
	queries, _ := p["queries"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		if q, ok := queries[name].(map[string]any); ok && kind(q["schedule_type"]) != kind(p["schedule_type"]) {
			c.wrong("queries."+name, "schedule_type is %s, that of the pack is %s: Kibana refuses or drops the interval of such a query",
				kind(q["schedule_type"]), kind(p["schedule_type"]))
		}
	}
	return c.err()
}

func isShards(c *checker, at string, v any) {
	members, ok := v.(map[string]any)
	if !ok {
		c.wrong(at, "is %s, not an object of percentages by policy", kind(v))
	}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		isInteger(1, 100, "percent")(c, join(at, id), members[id])
	}
}

func elasticQueriesRule(c *checker, at string, v any) {
	c.queries(at, v, elasticName, "letters, digits, _ and -", func(c *checker, at string, v any) {
		c.columns = nil
		members := c.object(at, v, rules{
			"query": isStatement, "interval": isInteger(1, MaxInterval, "seconds"), "timeout": isInteger(60, 86_400, "seconds"),
			"platform": isWords("linux", "darwin", "windows"), "version": isVersion, "snapshot": isBool, "removed": isBool,
			"saved_query_id": isText, "schedule_type": isOneOf("interval", "rrule"), "ecs_mapping": isAny,
		}, "query", "interval")
		if m, there := members["ecs_mapping"]; there {
			ecsRule(c, at+".ecs_mapping", m) // after the query, whose columns it names
		}
	})
}

func ecsRule(c *checker, at string, v any) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.wrong(at, "is %s, not an object by ECS field", kind(v))
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		place := join(at, field)
		if !ecsField.MatchString(field) {
			c.wrong(place, "is no name of an ECS field, such as process.pid")
		}
		m := c.object(place, fields[field], rules{"field": isText, "value": isAny})
		column, isField := m["field"].(string)
		_, isValue := m["value"]
		switch {
		case isField == isValue:
			c.wrong(place, "has either a field or a value")
		case isField && c.columns != nil && !slices.Contains(c.columns, column):
			c.wrong(place, "the query has no column %q", column)
		}
	}
}
