package standin

import (
	"slices"
	"strings"
)

// relation is one of osquery's own tables, with the columns it has had on Linux in every osquery 5.
type relation struct {
	name    string
	columns []column
}

// column is a column of an osquery table: its type in osquery's words, and whether osquery looks rows up by it.
type column struct {
	name, kind      string
	index, required bool
}

// relations are from osquery's published schema (https://osquery.io/schema/, specs/*.table in osquery/osquery).
func relations() []relation {
	return []relation{
		{"crontab", columns("TEXT event minute hour day_of_month month day_of_week command path")},
		{"deb_packages", slices.Concat(columns("TEXT name version source arch revision status maintainer section priority"), columns("BIGINT size"))},
		{"hash", slices.Concat([]column{{"path", "TEXT", true, true}, {"directory", "TEXT", false, true}}, columns("TEXT md5 sha1 sha256"))},
		{"listening_ports", slices.Concat(columns("INTEGER pid port protocol family"), columns("BIGINT fd socket"),
			columns("TEXT address path net_namespace"))},
		{"processes", slices.Concat([]column{{"pid", "BIGINT", true, false}}, columns("TEXT name path cmdline state cwd root"),
			columns("BIGINT uid gid euid egid suid sgid wired_size resident_size total_size user_time system_time"),
			columns("BIGINT disk_bytes_read disk_bytes_written start_time parent pgroup"), columns("INTEGER on_disk threads nice"))},
		{"systemd_units", slices.Concat(columns("TEXT id description load_state active_state sub_state following object_path"),
			columns("TEXT job_type job_path fragment_path user source_path"), columns("BIGINT job_id"))},
		{"users", slices.Concat([]column{{"uid", "BIGINT", true, false}}, columns("BIGINT gid uid_signed gid_signed"),
			columns("TEXT username description directory shell uuid"))},
	}
}

// columns reads a type followed by names.
func columns(list string) []column {
	words := strings.Fields(list)
	var all []column
	for _, name := range words[1:] {
		all = append(all, column{name: name, kind: words[0]})
	}
	return all
}
