package fleet

import "slices"

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
	Few  bool // has few different values in a whole fleet, so that an engine may keep a dictionary of them
}

// Columns are the columns of osquery rows that rollups can name, in the order of the store. Whatever else a row had is in
// the column "columns", as JSON.
func Columns() []Column {
	return slices.Concat(
		typed(Text, "alert_id", "signature"),
		few("scope", "severity"),
		typed(Text, "reason_codes"),
		few("interval_class", "size_class"),
		typed(Text, "path", "script"),
		few("username"),
		typed(Text, "systemd_unit", "container_image", "package_name", "sha256", "rule"),
		few("role", "protocol"),
		typed(Text, "remote_address", "remote_hostname"),
		few("destination_class"),
		typed(Integer, "remote_port", "expected", "network_facing", "insufficient", "process_count", "destinations",
			"connections", "beats", "bytes_sent", "interval_ms", "size_bytes", "first_seen", "last_seen"),
		typed(Double, "score", "evidence", "jitter", "timing_share"),
		few("finding"),
		typed(Text, "detail"),
		few("version", "level", "level_reason", "config_hash", "inventory_hash"),
		typed(Text, "inventory_error", "last_error"),
		typed(Integer, "start_time", "samples", "late_samples", "max_gap_ms", "lost_events", "send_events",
			"unattributed_sends", "evictions", "rules", "rules_expired"),
		typed(Text, "coverage_run"),
	)
}

func typed(t Type, names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{Name: name, Type: t}
	}
	return columns
}

func few(names ...string) []Column {
	columns := typed(Text, names...)
	for i := range columns {
		columns[i].Few = true
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

// IsText and IsInteger are for the schemas' templates.
func (c Column) IsText() bool { return c.Type == Text }

// IsInteger reports a whole number.
func (c Column) IsInteger() bool { return c.Type == Integer }
