-- Programs whose purpose includes talking, that now beacon to a destination or at a pace no rule covers, or whose covered
-- rhythm has changed.
--
-- pack: detection
-- attack: AN0597, T1195, T1554, T1574, T1055
-- references:
--   * https://attack.mitre.org/techniques/T1554/
--   * https://attack.mitre.org/techniques/T1195/
-- tags: alert, inventory, drift
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * an agent whose server or polling interval was changed on purpose: change its rule
-- value: A trusted program that was replaced, injected into or reconfigured is found by what it does, not by what it is.
SELECT DISTINCT alert_id, signature, network_facing, expected, severity, rule, rule_source, reason_codes, interval_class, size_class
FROM beacon_candidates
WHERE network_facing = 1
  AND ',' || reason_codes || ',' LIKE '%,above_threshold,%'
  AND (expected = 0 OR ',' || reason_codes || ',' LIKE '%,period_changed,%')
  AND last_seen > CAST(strftime('%s', 'now') AS INTEGER) - max(86400, 3 * coalesce(interval_ms, 0) / 1000);
