-- Which kernel interface watches each protocol and network namespace, and why better ones do not.
--
-- pack: health
-- attack: AN0597, T1562.001
-- references:
--   * https://attack.mitre.org/datacomponents/DC0082/
--   * https://attack.mitre.org/datacomponents/DC0078/
-- tags: health, coverage, audit
-- platform: linux
-- interval: 3600
-- mode: snapshot
-- false positives:
--   * not an alert
-- value: What this host cannot see, in the words of its own kernel.
SELECT protocol, net_namespace, source, active, refused_errno, reason, events, bytes, lost, gaps, samples, resolution_ms
FROM beacon_sensor_sources
ORDER BY protocol, net_namespace, active DESC;
