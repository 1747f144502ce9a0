// Package figures is what the guest tells the host about one boot: how well the sensor saw, and for each trial what was
// sent beside what was reported. It judges nothing, and neither measures nor prints.
package figures

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Report is everything one boot found out. Problem is empty if every trial could be held.
type Report struct {
	Release string        // uname -r
	Booted  time.Duration // from the kernel's start to the guest's first instruction
	Took    time.Duration // from there to this report
	Problem string
	Bare    Standing // before any of the sock_diag modules was loaded
	Full    Standing // with them, when all trials were over
	Trials  []Trial
}

// Standing is what the sensor says about itself.
type Standing struct {
	Status  map[string]string   // the row of beacon_sensor_status
	Sources []map[string]string // the rows of beacon_sensor_sources
}

// Level is the level the sensor says it has reached, "" if it never answered.
func (s Standing) Level() string { return s.Status["level"] }

// Covers reports whether a source that is in use names the network namespace as one it watches.
func (s Standing) Covers(netns string) bool {
	for _, source := range s.Sources {
		if source["active"] == "1" && source["net_namespace"] == netns {
			return true
		}
	}
	return false
}

// Trial is one kind of traffic: what its processes did, and what the tables said afterwards.
type Trial struct {
	Name      string
	Protocol  string // tcp, udp, sctp or vsock
	NetNS     string // inode of the network namespace the processes were in, "" for the sensor's own
	Resets    bool   // they close with SO_LINGER 0
	Lasting   bool   // they live long enough for a sampler to see them
	Processes uint64
	Sent      Count // by the processes' own account
	Arrived   Count // at the receiver, which sees no sends
	Reported  Count // in process_outbound_stats, whosesoever
	Owned     Count // of that, in rows of the program that sent
}

// Count is an amount of traffic. UDP has no connections, but a source may count one for each socket.
type Count struct {
	Connections, Sends, Bytes uint64
}

// Plus is the sum.
func (c Count) Plus(d Count) Count {
	return Count{c.Connections + d.Connections, c.Sends + d.Sends, c.Bytes + d.Bytes}
}

// AllOf reports whether c is every byte and every connection that was sent. Sends may be merged on their way.
func (t Trial) AllOf(c Count) bool {
	return c.Bytes == t.Sent.Bytes && (t.Protocol != "tcp" || c.Connections == t.Sent.Connections)
}

// Write sends the report over a serial line.
func (r Report) Write(line io.Writer) error { return json.NewEncoder(line).Encode(r) }

// Read takes the report from a serial line. A boot that ended early has left none, or half of one: an error.
func Read(line io.Reader) (Report, error) {
	var r Report
	if err := json.NewDecoder(line).Decode(&r); err != nil {
		return Report{}, fmt.Errorf("read the guest's report: %w", err)
	}
	return r, nil
}
