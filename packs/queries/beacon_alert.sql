-- Programs that beacon and are not expected to: one row for each program and destination, stable while the beacon is.
--
-- A row that is added opens a case, added and removed together change it, removed alone closes it: alert_id and the host
-- name the case. Closed means that no beat came for a day, or for three intervals if that is longer, or that the score
-- fell. Severity info is left out: it stays in beacon_candidates.
--
-- pack: detection
-- attack: AN0597, DET0213, T1030, T1071, T1029, T1571, T1573
-- references:
--   * https://attack.mitre.org/techniques/T1030/
--   * https://attack.mitre.org/techniques/T1071/
--   * https://attack.mitre.org/techniques/T1029/
-- tags: alert, c2, exfiltration, timing
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * software that polls and has no rule yet: agents, updaters, monitoring (add a rule for it with its destination)
--   * a rule that has expired
-- value: Uniform timing from a program that nobody expects to talk: the analytic itself, said once and not every interval.
SELECT DISTINCT alert_id, signature, severity, expected, reason_codes, interval_class, size_class
FROM beacon_candidates
WHERE expected <> 1
  AND severity <> 'info'
  AND ',' || reason_codes || ',' LIKE '%,above_threshold,%'
  AND last_seen > CAST(strftime('%s', 'now') AS INTEGER) - max(86400, 3 * coalesce(interval_ms, 0) / 1000);
