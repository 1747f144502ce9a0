-- Hosts that do not watch as they should: missing, silent, stopped or degraded, worst first.
--
-- missing: in the asset list, and no line ever. silent: no line of any query for longer than silent_s. stopped: osquery
-- reports, but the sensor has not for that long, or is not registered. degraded: it says so itself, or sees too little.
-- listed is 0 for a host that reports and is not in the asset list; without a list it is 0 everywhere.
WITH hosts AS (
  SELECT host, max(is_listed) AS is_listed, max(last_time) AS last_time, max(last_utc) AS last_utc
  FROM (
    SELECT host, 1 AS is_listed, -1 AS last_time, '' AS last_utc FROM beacon_assets
    UNION ALL
    SELECT host, 0 AS is_listed, max(unix_time) AS last_time, max(utc) AS last_utc FROM beacon_results GROUP BY host
  ) known
  GROUP BY host
),
statuses AS (
  SELECT host, unix_time, utc, role, version, level, level_reason, inventory_error, last_error, rules_expired, send_events,
    unattributed_sends, row_number() OVER (PARTITION BY host ORDER BY unix_time DESC, query, row_hash) AS place
  FROM beacon_results
  WHERE kind = 'status' AND action <> 'removed'
),
latest AS (
  SELECT host, unix_time, utc, role, version, level, level_reason, inventory_error, last_error,
    coalesce(rules_expired, 0) AS rules_expired,
    CASE WHEN coalesce(unattributed_sends, 0) * 2 > coalesce(send_events, 0) THEN 1 ELSE 0 END AS blind
  FROM statuses
  WHERE place = 1
),
finding_steps AS (
  SELECT host, finding, detail, action,
    row_number() OVER (PARTITION BY host, query, finding, detail
      ORDER BY unix_time DESC, CASE action WHEN 'removed' THEN 1 ELSE 0 END, counter DESC) AS place
  FROM beacon_results
  WHERE kind = 'finding' AND action IN ('added', 'removed')
),
findings AS (
  SELECT host, max(CASE finding WHEN 'stopped' THEN 1 ELSE 0 END) AS is_stopped, min(finding || ': ' || detail) AS found
  FROM finding_steps
  WHERE place = 1 AND action = 'added'
  GROUP BY host
),
judged AS (
  SELECT h.host AS host, h.is_listed AS is_listed, h.last_utc AS last_utc, coalesce(l.utc, '') AS status_utc,
    coalesce(l.role, '') AS host_role, coalesce(l.version, '') AS version, coalesce(l.level, '') AS level,
    CASE
      WHEN h.last_time < 0 THEN 1
      WHEN s.now - h.last_time > s.silent_s THEN 2
      WHEN coalesce(f.is_stopped, 0) = 1 OR s.now - coalesce(l.unix_time, 0) > s.silent_s THEN 3
      WHEN l.level IN ('proc', 'none') OR l.inventory_error <> '' OR l.rules_expired > 0 OR l.blind = 1 OR coalesce(f.found, '') <> '' THEN 4
      ELSE 5
    END AS grade,
    CASE
      WHEN coalesce(f.found, '') <> '' THEN f.found
      WHEN l.level IN ('proc', 'none') THEN 'level ' || l.level || ': ' || l.level_reason
      WHEN l.inventory_error <> '' THEN 'inventory: ' || l.inventory_error
      WHEN l.blind = 1 THEN 'more than half of the sends have no process'
      WHEN l.rules_expired > 0 THEN 'rules have expired'
      ELSE ''
    END AS reason
  FROM hosts h
  CROSS JOIN beacon_settings s
  LEFT JOIN latest l ON l.host = h.host
  LEFT JOIN findings f ON f.host = h.host
)
SELECT CASE grade WHEN 1 THEN 'missing' WHEN 2 THEN 'silent' WHEN 3 THEN 'stopped' ELSE 'degraded' END AS state, host,
  host_role AS role, is_listed AS listed, last_utc AS last_line, status_utc AS last_status, level, version, reason
FROM judged
WHERE grade < 5
ORDER BY grade, host
