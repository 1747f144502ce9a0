-- The sensor's state: level, gaps, losses, bounds, cost, configuration and inventory.
--
-- pack: health
-- attack: AN0597, T1562.001
-- references:
--   * https://attack.mitre.org/techniques/T1562/001/
-- tags: health, coverage, audit
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * not an alert: a host without this row is the alert (see the fleet rollups)
-- value: Evidence that this host was watched at this hour, and how well.
SELECT s.version, s.level, s.level_reason, s.tcp_source, s.udp_source, s.role, s.start_time, t.unix_time - s.start_time AS watching_s,
  s.samples, s.late_samples, s.sample_period_ms, s.max_gap_ms, s.lost_events, s.send_events, s.unattributed_sends,
  s.unreadable_processes, s.process_events, s.tracked_pairs, s.max_pairs, s.evictions, s.resident_size, s.memory_limit,
  s.user_time, s.system_time, s.reconnects, s.config_hash, s.inventory_hash, s.inventory_error, s.rules, s.rules_expired,
  s.checkpoint_time, s.last_error
FROM beacon_sensor_status s, time t;
