-- Programs that send payloads of one size, 8 KiB or more, at one pace, and have sent a mebibyte: chunked exfiltration.
--
-- pack: detection
-- attack: AN0597, DET0213, T1030, T1041, T1048
-- references:
--   * https://attack.mitre.org/techniques/T1030/
--   * https://attack.mitre.org/detectionstrategies/DET0213/
-- tags: alert, exfiltration, size
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * backup clients, log shippers and metric exporters without a rule
--   * replication between databases
-- value: Data leaving in equal pieces is told apart from a check-in by what it costs: its volume.
SELECT DISTINCT alert_id, signature, severity, expected, reason_codes, interval_class, size_class
FROM beacon_candidates
WHERE expected <> 1
  AND bytes_sent >= 1048576
  AND size_class NOT IN ('', '0B', '16B', '64B', '256B', '1KiB', '4KiB')
  AND ',' || reason_codes || ',' LIKE '%,above_threshold,%'
  AND ',' || reason_codes || ',' LIKE '%,uniform_sizes,%'
  AND last_seen > CAST(strftime('%s', 'now') AS INTEGER) - max(86400, 3 * coalesce(interval_ms, 0) / 1000);
