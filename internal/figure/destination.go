package figure

// Destination is how a row of beacon_candidates names where it sends: name or address with port, or how many destinations there
// are where the row is about the whole process.
func Destination(row map[string]string) string {
	if row["scope"] == "process" {
		return row["destinations"] + " destinations"
	}
	name := row["remote_hostname"]
	if name == "" {
		name = row["remote_address"]
	}
	if name == "" {
		return "an unknown destination"
	}
	return name + ":" + row["remote_port"]
}
