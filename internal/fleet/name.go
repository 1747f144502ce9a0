package fleet

import "strings"

// queryOf takes the pack off the name of a scheduled query: osquery's pack_<pack>_<query>, where a pack's own name ends at
// its first underscore, Fleet's pack/Global/<query> and pack/team-<id>/<query>, and any other name as it is.
func queryOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "pack/"); ok {
		return rest[strings.LastIndexByte(rest, '/')+1:]
	}
	if rest, ok := strings.CutPrefix(name, "pack_"); ok {
		if pack, query, found := strings.Cut(rest, "_"); found && pack != "" && query != "" {
			return query
		}
	}
	return name
}

// queryPattern is what queryOf takes off, as a regular expression in the words of both PostgreSQL and ClickHouse.
const queryPattern = `^(pack/(.*/)?|pack_[^_]+_)`
