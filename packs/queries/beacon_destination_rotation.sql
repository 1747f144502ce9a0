-- Programs whose rhythm shows only over all their destinations: one beacon that takes its servers in turn.
--
-- pack: detection
-- attack: AN0597, T1008, T1568, T1090, T1071
-- references:
--   * https://attack.mitre.org/techniques/T1008/
--   * https://attack.mitre.org/techniques/T1568/
-- tags: alert, c2, rotation
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * clients of a service behind a content delivery network or a pool of time servers, without a rule
-- value: An implant with several servers stays below every per-destination threshold, and above this one.
SELECT DISTINCT alert_id, signature, severity, expected, reason_codes, interval_class, size_class
FROM beacon_candidates
WHERE scope = 'process'
  AND expected <> 1
  AND destinations >= 2
  AND ',' || reason_codes || ',' LIKE '%,above_threshold,%'
  AND last_seen > CAST(strftime('%s', 'now') AS INTEGER) - max(86400, 3 * coalesce(interval_ms, 0) / 1000);
