-- The processes behind unexpected beacons as osquery sees them now: still running, still on disk, its hash, who its user is
-- and what it listens on. A process that has ended keeps its row, with the columns of osquery's tables empty.
--
-- pack: hunting
-- attack: AN0597, T1071, T1070.004, T1205
-- references:
--   * https://osquery.io/schema/
--   * https://attack.mitre.org/techniques/T1070/004/
-- tags: hunting, triage
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * those of beacon_alert
-- value: The first three questions of a triage, answered before anyone logs in to the host.
SELECT c.alert_id, c.signature, c.severity, c.pid, c.start_time, c.path, c.cmdline, c.parent_path, c.remote_address, c.remote_port,
  p.pid IS NOT NULL AS running, p.on_disk, p.cwd, p.state, p.threads, p.resident_size,
  h.sha256 AS file_sha256, h.md5 AS file_md5,
  u.username, u.shell, u.directory AS home, l.listening
FROM beacon_candidates c
LEFT JOIN processes p ON p.pid = c.pid AND p.path = c.path
LEFT JOIN hash h ON h.path = c.path
LEFT JOIN users u ON u.uid = c.uid
LEFT JOIN (
  SELECT pid, group_concat(DISTINCT address || ':' || port) AS listening
  FROM listening_ports
  WHERE CAST(port AS INTEGER) > 0
  GROUP BY pid
) l ON l.pid = c.pid
WHERE c.expected <> 1
  AND c.severity <> 'info'
  AND ',' || c.reason_codes || ',' LIKE '%,above_threshold,%'
ORDER BY c.evidence DESC
LIMIT 50;
