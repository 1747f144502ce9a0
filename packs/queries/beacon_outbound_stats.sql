-- Who sent what to whom: the processes and destinations with the most bytes, loopback and multicast left out.
--
-- pack: hunting
-- attack: T1041, T1048, T1071
-- references:
--   * https://attack.mitre.org/techniques/T1041/
-- tags: hunting, volume, baseline
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * not an alert: counters only grow while the process lives
-- value: Volume by process, which no osquery table has; the base for asking what is new or rare.
SELECT pid, start_time, name, path, script, cmdline, uid, username, systemd_unit, container_id, protocol, remote_address,
  remote_port, remote_hostname, destination_class, connections, failed_connections, send_count, bytes_sent, bytes_received,
  first_seen, last_seen, interval_median_ms, size_median, exited, quality
FROM process_outbound_stats
WHERE destination_class NOT IN ('loopback', 'link_local', 'multicast', 'broadcast')
ORDER BY bytes_sent DESC
LIMIT 300;
