package pack

import "regexp"

// osqueryName is ours: osquery takes any name, but it becomes a part of pack_<pack>_<query> in every log line.
var osqueryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// isPlatform: https://osquery.readthedocs.io/en/stable/deployment/configuration/#schedule
var isPlatform = isWords("darwin", "freebsd", "linux", "posix", "windows", "any", "all")

// CheckOsquery checks a pack file against the rules of osquery's configuration: strict JSON, size, known keys and their types,
// intervals, platforms, shards, and SQL that is one SELECT and compiles (prepare nil: not compiled). osquery itself
// ignores or defaults much of this in silence; here it is an error with a sentence for each mistake.
func CheckOsquery(file string, text []byte, prepare Prepare) error {
	c := &checker{file: file, prepare: prepare}
	if len(text) > MaxConfig {
		c.wrong("", "%d bytes are more than the %d that osquery reads of a configuration", len(text), MaxConfig)
		return c.err()
	}
	v, err := strictJSON(text)
	if err != nil {
		c.wrong("", "%v", err)
		return c.err()
	}
	c.object("", v, rules{
		"platform": isPlatform, "version": isVersion, "shard": isInteger(1, 100, "percent"), "oncall": isText,
		"discovery": isListOf(isStatement), "queries": osqueryQueriesRule,
	}, "queries")
	return c.err()
}

func osqueryQueriesRule(c *checker, at string, v any) {
	c.queries(at, v, osqueryName, "letters, digits, dots, _ and - (at most 128)", func(c *checker, at string, v any) {
		q := c.object(at, v, rules{
			"query": isStatement, "interval": isInteger(1, MaxInterval, "seconds"), "snapshot": isBool, "removed": isBool,
			"denylist": isBool, "blacklist": isBool, "platform": isPlatform, "version": isVersion,
			"shard": isInteger(1, 100, "percent"), "description": isText, "value": isText,
		}, "query", "interval")
		if _, says := q["removed"]; says && q["snapshot"] == true {
			c.wrong(at, "removed has no meaning beside snapshot: a snapshot has no removed rows")
		}
	})
}
