// Package baseline turns what was recorded on a host into things for a person to review: rules that would make it expected,
// what a rule would have silenced, what a restriction of a unit would have blocked. It applies nothing and learns nothing:
// an implant that was there on the first day is proposed with what speaks against it, or not at all.
package baseline

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/beaconwatch/beaconwatch/internal/figure"
	"github.com/beaconwatch/beaconwatch/internal/inventory"
	"github.com/beaconwatch/beaconwatch/internal/process"
	"github.com/beaconwatch/beaconwatch/internal/send"
)

// Row is a row of beacon_candidates, by column.
type Row = map[string]string

// Columns are those of beacon_candidates that this package reads.
const Columns = `scope, host, pid, name, path, script, cmdline, uid, username, cgroup_path, systemd_unit, container_id, container_image,
 container_name, parent_path, package_name, package_version, sha256, protocol, remote_address, remote_port, remote_hostname, destination_class, destinations,
 first_seen, last_seen, beats, bytes_sent, interval_ms, jitter, size_bytes, score, evidence, insufficient, expected, network_facing,
 severity, suspicions, rule, rule_source, reason_codes, reason, signature`

// subject is what a rule is asked about: the row as the inventory sees a program. What a row does not say, such as digests
// that were compared, is in its suspicions.
func subject(r Row, now time.Time) *inventory.Subject {
	s := &inventory.Subject{Now: now, Process: process.Info{
		Program:  process.Program{Path: r["path"], Script: r["script"], UID: uint32(figure.Number(r["uid"]))},
		Username: r["username"], SystemdUnit: r["systemd_unit"], CgroupPath: r["cgroup_path"], ContainerID: r["container_id"], ParentPath: r["parent_path"], Name: r["name"]}}
	has := func(code string) bool { return hasWord(r["suspicions"], code) }
	s.Facts = process.Facts{Examined: true, SHA256: r["sha256"], Package: r["package_name"], PackageVersion: r["package_version"], PackageKnown: true,
		Image: r["container_image"], ContainerName: r["container_name"], Altered: has("altered_executable"), Elsewhere: has("mounted_over"), Preload: has("preload"), EnvironRead: true}
	if t, ok := target(r); ok {
		s.Targets = []inventory.Target{t}
	}
	s.Rhythm = rhythm(r)
	s.First, s.Last = moment(r["first_seen"]), moment(r["last_seen"])
	return s
}

func rhythm(r Row) inventory.Rhythm {
	return inventory.Rhythm{Found: hasWord(r["reason_codes"], "above_threshold"), Sufficient: r["insufficient"] == "0",
		Uniform: hasWord(r["reason_codes"], "uniform_sizes"), Period: time.Duration(figure.Number(r["interval_ms"])) * time.Millisecond}
}

func target(r Row) (inventory.Target, bool) {
	addr, err := netip.ParseAddr(r["remote_address"])
	if err != nil {
		return inventory.Target{}, false
	}
	port, err := strconv.ParseUint(r["remote_port"], 10, 16)
	if err != nil {
		port = 0
	}
	class, _ := send.ParseClass(r["destination_class"])
	return inventory.Target{Class: class, Hostname: r["remote_hostname"], Destination: send.Destination{
		Protocol: send.Protocol(figure.Number(r["protocol"])), Remote: netip.AddrPortFrom(addr, uint16(port))}}, true
}

// hasWord reports whether a comma-separated list holds a word, with or without a weight.
func hasWord(list, word string) bool {
	for one := range strings.SplitSeq(list, ",") {
		name, _, _ := strings.Cut(one, "=")
		if name == word {
			return true
		}
	}
	return false
}

func moment(seconds string) time.Time {
	v := figure.Number(seconds)
	if v <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(v), 0)
}
