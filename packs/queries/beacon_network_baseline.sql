-- Every program seen talking, with the verdict on it and the rule that gave it.
--
-- pack: hunting
-- attack: AN0597
-- references:
--   * https://attack.mitre.org/detectionstrategies/DET0213/
-- tags: inventory, baseline, audit
-- platform: linux
-- interval: 86400
-- mode: snapshot
-- false positives:
--   * not an alert
-- value: ATT&CK's ProcessNetworkBaseline of this host, once a day: what rules cover, and what they leave open.
SELECT path, script, uid, username, systemd_unit, network_facing, expected, rule, rule_source, reason, first_seen, last_seen,
  destinations, periodic
FROM process_network_baseline
ORDER BY path, script
LIMIT 1000;
