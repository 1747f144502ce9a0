package export

import "time"

// OCSF is a candidate as a Detection Finding, class 2004 of the Open Cybersecurity Schema Framework 1.3
// (https://schema.ocsf.io/1.3.0/classes/detection_finding). activity_id is 2, Update: the same finding comes again while the
// beacon goes on, under the same uid.
func OCSF(r Row, c Context) any {
	severity := map[string]int{"info": 1, "low": 2, "medium": 3, "high": 4}[r["severity"]]
	finding := object{"uid": r["alert_id"], "title": title(r), "types": []string{"beaconing"},
		"analytic": object{"name": "beacon_candidates", "uid": "AN0597", "type": "Statistics", "type_id": 3, "version": c.Version}}
	finding.put("desc", r["reason"])
	finding.put("first_seen_time_dt", moment(r["first_seen"]))
	finding.put("last_seen_time_dt", moment(r["last_seen"]))
	finding["attacks"] = []object{{"version": "17.0", "technique": object{"uid": "T1030", "name": "Data Transfer Size Limits"},
		"tactics": []object{{"uid": "TA0010", "name": "Exfiltration"}}}}
	file := object{"type_id": 1}
	file.put("path", r["path"])
	file.put("name", r["name"])
	if r["sha256"] != "" {
		file.put("hashes", []object{{"algorithm_id": 3, "algorithm": "SHA-256", "value": r["sha256"]}})
	}
	user := object{}
	user.put("uid", r["uid"])
	user.put("name", r["username"])
	parentFile := object{}
	parentFile.put("path", r["parent_path"])
	if len(parentFile) > 0 {
		parentFile.put("type_id", 1)
	}
	parent := object{}
	parent.put("cmd_line", r["parent_cmdline"])
	parent.put("file", parentFile)
	process := object{}
	process.put("pid", whole(r["pid"]))
	process.put("name", r["name"])
	process.put("cmd_line", r["cmdline"])
	process.put("user", user)
	process.put("parent_process", parent)
	if r["path"] != "" {
		process.put("file", file)
	}
	remote := object{}
	remote.put("ip", r["remote_address"])
	remote.put("port", whole(r["remote_port"]))
	remote.put("hostname", r["remote_hostname"])
	connection := object{"direction_id": 2, "direction": "Outbound"}
	connection.put("protocol_num", whole(r["protocol"]))
	connection.put("protocol_name", protocolName(r["protocol"]))
	data := object{}
	for _, name := range []string{"signature", "scope", "reason_codes", "suspicions", "rule", "rule_source", "role"} {
		data.put(name, r[name])
	}
	for _, name := range []string{"score", "evidence", "interval_ms", "jitter", "size_bytes", "size_spread", "timing_share", "timing_chance", "beats", "bytes_sent", "expected", "network_facing"} {
		data.put(name, decimal(r[name]))
	}
	evidence := object{"data": data, "connection_info": connection}
	evidence.put("process", process)
	evidence.put("dst_endpoint", remote)
	device := object{"type_id": 1, "type": "Server"}
	device.put("hostname", c.Host)
	at := c.Observed.UTC()
	return object{"class_uid": 2004, "class_name": "Detection Finding", "category_uid": 2, "category_name": "Findings",
		"activity_id": 2, "activity_name": "Update", "type_uid": 200402, "severity_id": severity, "status_id": 1,
		"time": at.UnixMilli(), "time_dt": at.Format(time.RFC3339), "message": title(r), "confidence_score": confidence(r), "finding_info": finding,
		"evidences": []object{evidence}, "device": device,
		"metadata": object{"version": "1.3.0", "uid": r["alert_id"], "profiles": []string{"host", "datetime"},
			"product": object{"name": "beaconwatch", "vendor_name": "beaconwatch", "version": c.Version}}}
}

// confidence is the column of that name as OCSF has it, 0 to 100.
func confidence(r Row) any {
	v, ok := decimal(r["confidence"]).(float64)
	if !ok {
		return 0
	}
	return int(100 * min(max(v, 0), 1))
}
