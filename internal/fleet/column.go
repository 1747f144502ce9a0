package fleet

// Type is what a column of the store holds.
type Type uint8

// The types of columns. A text that a row lacks is the empty string, a number that it lacks, or that is no number, is NULL.
const (
	Text Type = iota
	Integer
	Double
)

// Column is a column of beacon_results that is taken out of a row's own columns, under the same name.
type Column struct {
	Name string
	Type Type
}

// Columns are the columns of osquery rows that rollups can name, in the order of the store. Whatever else a row had is in
// the column "columns", as JSON.
func Columns() []Column {
	text := func(names ...string) []Column { return typed(Text, names) }
	var all []Column
	all = append(all, text("alert_id", "signature", "scope", "severity", "reason_codes", "interval_class", "size_class",
		"path", "script", "username", "systemd_unit", "container_image", "package_name", "sha256", "rule", "role",
		"protocol", "remote_address", "remote_hostname", "destination_class")...)
	all = append(all, typed(Integer, []string{"remote_port", "expected", "network_facing", "insufficient", "process_count",
		"destinations", "connections", "beats", "bytes_sent", "interval_ms", "size_bytes", "first_seen", "last_seen"})...)
	all = append(all, typed(Double, []string{"score", "evidence", "jitter", "timing_share"})...)
	all = append(all, text("finding", "detail", "version", "level", "level_reason", "config_hash", "inventory_hash",
		"inventory_error", "last_error")...)
	return append(all, typed(Integer, []string{"start_time", "samples", "late_samples", "max_gap_ms", "lost_events",
		"send_events", "unattributed_sends", "evictions", "rules", "rules_expired", "coverage_run"})...)
}

func typed(t Type, names []string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{name, t}
	}
	return columns
}

// Kinds of rows, told by their columns and not by the name of the query, which anyone may choose.
const (
	kindCandidate = "candidate" // has a signature
	kindStatus    = "status"    // has a level: the sensor on itself
	kindFinding   = "finding"   // has a finding: something is wrong with the sensor
	kindTraffic   = "traffic"   // a program and a destination
	kindProgram   = "program"   // a program
	kindOther     = "other"
)
