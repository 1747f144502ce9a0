-- The candidates with the most evidence, expected or not, with everything known of process, destination, rhythm and reason.
--
-- pack: hunting
-- attack: AN0597, DET0213, T1030, T1071, T1029
-- references:
--   * https://attack.mitre.org/detectionstrategies/DET0213/
-- tags: hunting, prevalence, baseline
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * most rows are benign: this is the haystack, ranked
--   * the senders of a coverage test: their rows have its id in coverage_run
-- value: The context of an alert, and the raw material of prevalence across hosts: rare and regular is what matters.
SELECT alert_id, signature, scope, severity, expected, network_facing, score, evidence, confidence, insufficient,
  path, script, cmdline, pid, start_time, parent_path, parent_cmdline, uid, username, systemd_unit, container_id, container_image,
  container_name, package_name, package_version, sha256, role,
  protocol, remote_address, remote_port, remote_hostname, destination_class, process_count, destinations,
  first_seen, last_seen, beats, bytes_sent, interval_ms, jitter, size_bytes, size_spread, timing_share, timing_chance,
  interval_class, size_class, suspicions, rule, rule_source, reason_codes, coverage_run, sparkline, reason
FROM beacon_candidates
WHERE insufficient = 0 AND score >= 0.2
ORDER BY evidence DESC
LIMIT 200;
