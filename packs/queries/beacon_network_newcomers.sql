-- Programs that talk for the first time on this host and are not known to be network-facing.
--
-- pack: hunting
-- attack: AN0597, T1071, T1105
-- references:
--   * https://attack.mitre.org/techniques/T1071/
--   * https://attack.mitre.org/techniques/T1105/
-- tags: inventory, first-seen
-- platform: linux
-- interval: 600
-- mode: differential
-- removed: false
-- false positives:
--   * newly installed or rarely used software; the first run lists every program seen so far
-- value: Beacons of days are caught by their first beat only here; prevalence across hosts makes the list short.
SELECT path, script, network_facing, min(first_seen) AS first_seen
FROM process_network_baseline
WHERE network_facing <> 1
GROUP BY path, script, network_facing;
