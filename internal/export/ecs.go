package export

import (
	"cmp"
	"time"
)

// ECS is a candidate as an event of the Elastic Common Schema 8 (https://www.elastic.co/docs/reference/ecs), fields nested,
// what has no field of its own under "beaconwatch". Its time is that of the latest check-in, not that of the export.
func ECS(r Row, c Context) any {
	event := object{"kind": "alert", "category": []string{"network"}, "type": []string{"connection", "info"}, "module": "beaconwatch", "dataset": "beaconwatch.candidate"}
	event.put("id", r["alert_id"])
	event.put("start", moment(r["first_seen"]))
	event.put("end", moment(r["last_seen"]))
	observed := c.Observed.UTC().Format(time.RFC3339)
	event["created"] = observed
	event.put("risk_score", decimal(r["evidence"]))
	event.put("severity", map[string]any{"high": 3, "medium": 2, "low": 1, "info": 0}[r["severity"]])
	event.put("reason", r["reason"])
	parent := object{}
	parent.put("executable", r["parent_path"])
	parent.put("command_line", r["parent_cmdline"])
	hash := object{}
	hash.put("sha256", r["sha256"])
	process := object{}
	process.put("pid", whole(r["pid"]))
	process.put("name", r["name"])
	process.put("executable", r["path"])
	process.put("command_line", r["cmdline"])
	process.put("start", moment(r["start_time"]))
	process.put("parent", parent)
	process.put("hash", hash)
	user := object{}
	user.put("id", r["uid"])
	user.put("name", r["username"])
	source := object{}
	source.put("ip", r["local_address"])
	source.put("bytes", whole(r["bytes_sent"]))
	destination := object{}
	destination.put("ip", r["remote_address"])
	destination.put("port", whole(r["remote_port"]))
	destination.put("domain", r["remote_hostname"])
	network := object{"direction": "outbound"}
	network.put("transport", protocolName(r["protocol"]))
	network.put("iana_number", r["protocol"])
	container := object{}
	container.put("id", r["container_id"])
	container.put("name", r["container_name"])
	container.put("runtime", r["container_runtime"])
	image := object{}
	image.put("name", r["container_image"])
	container.put("image", image)
	packageOf := object{}
	packageOf.put("name", r["package_name"])
	packageOf.put("version", r["package_version"])
	host := object{}
	host.put("name", c.Host)
	own := object{}
	for _, name := range []string{"signature", "scope", "severity", "suspicions", "reason_codes", "rule", "rule_source", "role", "systemd_unit",
		"interval_class", "size_class", "quality", "destination_class"} {
		own.put(name, r[name])
	}
	for _, name := range []string{"score", "evidence", "confidence", "jitter", "size_spread", "timing_share", "timing_chance", "size_share", "failed_share"} {
		own.put(name, decimal(r[name]))
	}
	for _, name := range []string{"beats", "interval_ms", "size_bytes", "destinations", "process_count", "expected", "network_facing", "insufficient"} {
		own.put(name, whole(r[name]))
	}
	o := object{"@timestamp": cmp.Or(moment(r["last_seen"]), observed), "ecs": object{"version": "8.11.0"}, "message": title(r), "event": event,
		"network": network, "beaconwatch": own, "rule": object{"name": "beacon_candidates", "ruleset": "beaconwatch", "version": c.Version},
		"threat": object{"framework": "MITRE ATT&CK", "technique": object{"id": []string{"T1030"}, "name": []string{"Data Transfer Size Limits"}}}}
	for key, part := range map[string]object{"process": process, "user": user, "source": source, "destination": destination, "container": container,
		"package": packageOf, "host": host} {
		o.put(key, part)
	}
	return o
}
