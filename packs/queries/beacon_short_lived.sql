-- Beacons that are a new process each time, and which crontab line or systemd unit may start them.
--
-- pack: hunting
-- attack: AN0597, T1053.003, T1053.006, T1071
-- references:
--   * https://attack.mitre.org/techniques/T1053/003/
--   * https://attack.mitre.org/techniques/T1053/006/
-- tags: hunting, persistence, short-lived
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * scheduled jobs that report home: backup checks, configuration management, certificate renewal
-- value: A command that runs for 50 ms each hour is in no list of connections; its history and its trigger are here.
SELECT c.alert_id, c.signature, c.severity, c.expected, c.path, c.cmdline, c.process_count, c.beats, c.interval_ms, c.jitter,
  c.parent_path, c.parent_cmdline, c.username, c.systemd_unit, c.remote_address, c.remote_port, c.last_seen,
  t.lines AS crontab_lines, s.fragment_path AS unit_file, s.active_state
FROM beacon_candidates c
LEFT JOIN (
  SELECT command, group_concat(path || ': ' || minute || ' ' || hour || ' ' || day_of_month || ' ' || month || ' ' ||
    day_of_week || ' ' || command, '; ') AS lines
  FROM crontab
  GROUP BY command
) t ON instr(t.command, CASE WHEN c.script IN ('', '-c', '-e') THEN c.path ELSE c.script END) > 0
LEFT JOIN (
  SELECT id, min(fragment_path) AS fragment_path, min(active_state) AS active_state
  FROM systemd_units
  GROUP BY id
) s ON s.id = c.systemd_unit
WHERE c.process_count >= 3
  AND c.process_count * 2 >= c.beats
  AND c.path <> ''
  AND ',' || c.reason_codes || ',' LIKE '%,above_threshold,%'
ORDER BY c.evidence DESC
LIMIT 100;
