// Package export turns candidates, rows of beacon_candidates, into events that other systems take: the Elastic Common Schema
// and the Open Cybersecurity Schema Framework. It reads and writes nothing, and leaves out what a row does not say.
package export

import (
	"strconv"
	"time"
)

// Row is one row of a table, by column.
type Row = map[string]string

// Context is what all events of an export have in common.
type Context struct {
	Host    string
	Version string
	// Observed is when the rows were asked for.
	Observed time.Time
	// Types are the osquery types of the columns, by name; what is in none of them is text.
	Types map[string]string
}

// object is a JSON object; put leaves out what is empty.
type object map[string]any

func (o object) put(key string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case object:
		if len(v) == 0 {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case nil:
		return
	}
	o[key] = value
}

// whole is an integer column, nil if it is empty.
func whole(s string) any {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return v
}

// decimal is a double column, nil if it is empty.
func decimal(s string) any {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v > 1e300 || v < -1e300 {
		return nil
	}
	return v
}

// moment is a time in seconds since the Unix epoch as RFC 3339.
func moment(seconds string) string {
	v, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || v <= 0 {
		return ""
	}
	return time.Unix(v, 0).UTC().Format(time.RFC3339)
}

// protocolName is the name of an IP protocol number (IANA).
func protocolName(number string) string {
	return map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "132": "sctp", "136": "udplite"}[number]
}

// title says in a few words what a candidate is.
func title(r Row) string {
	who := r["path"]
	switch {
	case r["script"] != "":
		who += " " + r["script"]
	case who == "" && r["host"] != "":
		who = r["host"]
	case who == "":
		who = "an unknown process"
	}
	to := r["remote_address"] + ":" + r["remote_port"]
	if r["scope"] == "process" {
		to = r["destinations"] + " destinations"
	}
	return who + " checks in with " + to
}
