-- What is new in the fleet: each beacon by when any host first had it, newest first, and how far it has come since.
--
-- The newest 500 are shown.
WITH pairs AS (
  SELECT signature, host, min(unix_time) AS first_time, min(utc) AS first_utc, max(utc) AS last_utc
  FROM beacon_results
  WHERE kind = 'candidate' AND action <> 'removed'
  GROUP BY signature, host
),
ranked AS (
  SELECT signature, host, first_time, first_utc, last_utc,
    row_number() OVER (PARTITION BY signature ORDER BY first_time, host) AS place,
    min(first_time) OVER (PARTITION BY signature) AS fleet_time
  FROM pairs
)
SELECT min(first_utc) AS first_seen, max(last_utc) AS last_seen, max(CASE WHEN place = 1 THEN host ELSE '' END) AS first_host,
  sum(CASE WHEN first_time - fleet_time < 86400 THEN 1 ELSE 0 END) AS hosts_first_day, count(*) AS hosts, signature
FROM ranked
GROUP BY signature
ORDER BY first_seen DESC, signature
LIMIT 500
