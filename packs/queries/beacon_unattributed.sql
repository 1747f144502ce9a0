-- Beacons whose process could not be found.
--
-- pack: detection
-- attack: AN0597, T1014, T1564
-- references:
--   * https://attack.mitre.org/techniques/T1014/
--   * https://attack.mitre.org/techniques/T1564/
-- tags: alert, attribution, rootkit
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * senders too brief to be named at levels L0 and proc (beacon_sensor_health shows the level)
--   * a sensor without the privilege to read other users' processes
-- value: Traffic with a rhythm and without an owner is a blind spot or a hidden process; both need a person.
SELECT DISTINCT alert_id, signature, destination_class, protocol, remote_address, remote_port, interval_class, size_class
FROM beacon_candidates
WHERE path = ''
  AND ',' || reason_codes || ',' LIKE '%,above_threshold,%'
  AND last_seen > CAST(strftime('%s', 'now') AS INTEGER) - max(86400, 3 * coalesce(interval_ms, 0) / 1000);
