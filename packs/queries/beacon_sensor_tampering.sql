-- The sensor was blinded while it ran: a source was lost, its level fell to the floor or was capped, or it was flooded until it forgot
-- pairs, lost events or gave way in all it can. Counts and times are given as powers of ten, so that a row changes when the matter
-- gets ten times worse.
--
-- pack: detection
-- attack: T1562, T1562.001, T1499
-- references:
--   * https://attack.mitre.org/techniques/T1562/001/
-- tags: alert, tampering, health
-- platform: linux
-- interval: 300
-- mode: differential
-- denylist: false
-- false positives:
--   * a busy proxy or crawler that talks to more destinations than max_pairs
--   * a host whose level somebody has capped for a reason
--   * a seccomp profile or kernel that never granted more than level proc
--   * a server with so many connections a second that telling them alone costs more than cpu_budget
-- value: Flooding a sensor is the cheapest way to make it forget a beacon; doing so is itself the alert.
SELECT 'source_lost' AS finding, protocol || ' by ' || source || ' ended: ' || reason AS detail
FROM beacon_sensor_sources
WHERE active = 0 AND events > 0 AND reason <> ''
UNION ALL
SELECT 'level', level || ': ' || level_reason
FROM beacon_sensor_status
WHERE level IN ('proc', 'none')
UNION ALL
SELECT 'capped', 'the configuration lets it look no deeper than ' || substr(rest, 1, instr(rest, '"') - 1)
FROM (SELECT substr(config, instr(config, '"level":"') + 9) AS rest FROM beacon_sensor_status WHERE config LIKE '%"level":"%')
WHERE rest NOT LIKE 'L3"%'
UNION ALL
SELECT 'evictions', 'at least 1' || substr('000000000000', 1, length(evictions) - 1) || ' pairs forgotten'
FROM beacon_sensor_status
WHERE evictions > 0
UNION ALL
SELECT 'lost_events', 'at least 1' || substr('000000000000', 1, length(lost_events) - 1) || ' events lost'
FROM beacon_sensor_status
WHERE lost_events >= 1000
UNION ALL
SELECT 'gave_way', 'at least 1' || substr('000000000000', 1, length(exhausted_time / 1000) - 1) || ' s in which everything gave way as far as it can'
FROM beacon_sensor_status
WHERE exhausted_time >= 10000;
