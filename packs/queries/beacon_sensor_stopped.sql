-- The sensor's tables are gone: the extension was stopped, removed, or dropped by osquery. Uses osquery's own tables only.
--
-- pack: detection
-- attack: T1562, T1562.001
-- references:
--   * https://attack.mitre.org/techniques/T1562/001/
--   * https://osquery.readthedocs.io/en/stable/deployment/extensions/
-- tags: alert, tampering, health
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * the first minute after osqueryd starts; upgrades
-- value: Every other query of these packs fails in silence when the extension is gone. This one speaks.
SELECT 'stopped' AS finding, 'extension beaconwatch is not registered' AS detail
WHERE NOT EXISTS (SELECT 1 FROM osquery_extensions WHERE name = 'beaconwatch');
