-- What decides the verdicts on this host: version, level, configuration and inventory by their hashes. Logs when it changes.
--
-- pack: health
-- attack: AN0597, T1562.001, T1562.006
-- references:
--   * https://attack.mitre.org/techniques/T1562/006/
-- tags: health, inventory, drift, audit
-- platform: linux
-- interval: 600
-- mode: differential
-- false positives:
--   * upgrades and changes of rules that were meant; the first run says the present state
-- value: A rule that was slipped in, a host left behind, a restart and a lower level are each one line in the log.
SELECT version, start_time, level, tcp_source, udp_source, role, config_hash, inventory_hash, inventory_error, rules, rules_expired
FROM beacon_sensor_status;
