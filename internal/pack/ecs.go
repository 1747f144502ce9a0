package pack

import "slices"

// ecsFields maps columns to fields of the Elastic Common Schema, version 8:
// https://www.elastic.co/docs/reference/ecs/ecs-field-reference
// Times are left out: ours are seconds, a date there is milliseconds. What has no field stays under osquery.<column>.
var ecsFields = []struct{ column, field string }{
	{"pid", "process.pid"},
	{"name", "process.name"},
	{"path", "process.executable"},
	{"cmdline", "process.command_line"},
	{"cwd", "process.working_directory"},
	{"sha256", "process.hash.sha256"},
	{"file_sha256", "process.hash.sha256"},
	{"file_md5", "process.hash.md5"},
	{"parent_path", "process.parent.executable"},
	{"parent_cmdline", "process.parent.command_line"},
	{"uid", "user.id"},
	{"username", "user.name"},
	{"systemd_unit", "service.name"},
	{"container_id", "container.id"},
	{"container_name", "container.name"},
	{"container_image", "container.image.name"},
	{"package_name", "package.name"},
	{"package_version", "package.version"},
	{"protocol", "network.iana_number"},
	{"local_address", "source.ip"},
	{"bytes_sent", "source.bytes"},
	{"remote_address", "destination.ip"},
	{"remote_port", "destination.port"},
	{"remote_hostname", "destination.domain"},
	{"bytes_received", "destination.bytes"},
	{"reason", "message"},
}

// ecs maps the columns of a query, and says what kind of event a row is.
func ecs(q *Query, columns []string) mappings {
	var all mappings
	for _, f := range ecsFields {
		taken := slices.ContainsFunc(all, func(m mapping) bool { return m.ecs == f.field })
		if slices.Contains(columns, f.column) && !taken {
			all = append(all, mapping{ecs: f.field, column: f.column})
		}
	}
	event := "state"
	if q.Pack == Detection {
		event = "alert"
	}
	all = append(all, mapping{ecs: "event.kind", value: []string{event}}, mapping{ecs: "rule.name", value: []string{q.Name}},
		mapping{ecs: "rule.description", value: []string{q.Title()}})
	if ids := q.Techniques(); len(ids) > 0 {
		all = append(all, mapping{ecs: "threat.framework", value: []string{"MITRE ATT&CK"}},
			mapping{ecs: "threat.technique.id", value: ids})
	}
	return append(all, mapping{ecs: "tags", value: q.Tags})
}
