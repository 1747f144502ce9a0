-- Beacons that keep step across hosts: one destination, one interval, and the same moment in it.
--
-- Of hosts that do not know of each other a fifth would fall into the same fifth of an interval; in_step is how many do, in
-- the fullest fifth, and share what that is in percent. Timers set by the clock keep step, and so do implants started
-- together or steered by one server. Each host counts with its newest snapshot, intervals under ten seconds do not, since
-- last_seen is in whole seconds, nor do hosts that were last seen an hour before the others: an interval known to a
-- thousandth is off by its whole length after a thousand of them.
WITH snapshots AS (
  SELECT host, signature, remote_address, coalesce(remote_port, -1) AS port, interval_class, interval_ms, last_seen,
    row_number() OVER (PARTITION BY host, signature ORDER BY unix_time DESC, query, row_hash) AS place
  FROM beacon_results
  WHERE kind = 'candidate' AND action <> 'removed' AND remote_address <> '' AND interval_ms >= 10000 AND last_seen > 0
),
beats AS (
  SELECT host, signature, remote_address, port, interval_class, last_seen,
    min(interval_ms) OVER (PARTITION BY remote_address, port, interval_class) AS period_ms,
    max(last_seen) OVER (PARTITION BY remote_address, port, interval_class) AS newest
  FROM snapshots
  WHERE place = 1
),
phases AS (
  SELECT host, signature, remote_address, port, interval_class, period_ms,
    CAST(floor(10.0 * (((newest - last_seen) * 1000) % period_ms) / period_ms) AS BIGINT) AS tenth
  FROM beats
  WHERE newest - last_seen <= 3600
),
tenths AS (
  SELECT remote_address, port, interval_class, tenth, min(period_ms) AS period_ms, count(DISTINCT host) AS hosts,
    min(host) AS one_host, min(signature) AS one_signature
  FROM phases
  GROUP BY remote_address, port, interval_class, tenth
),
-- each tenth with the next one, and the last with the first
fifths AS (
  SELECT a.remote_address AS remote_address, a.port AS port, a.interval_class AS interval_class, a.period_ms AS period_ms,
    a.hosts + coalesce(b.hosts, 0) AS in_step, a.one_host AS one_host, a.one_signature AS one_signature
  FROM tenths a
  LEFT JOIN tenths b ON b.remote_address = a.remote_address AND b.port = a.port AND b.interval_class = a.interval_class
    AND b.tenth = (a.tenth + 1) % 10
),
totals AS (
  SELECT remote_address, port, interval_class, CAST(sum(hosts) AS BIGINT) AS hosts FROM tenths GROUP BY remote_address, port, interval_class
)
SELECT max(f.in_step) AS in_step, max(t.hosts) AS hosts,
  (100 * max(f.in_step) - (100 * max(f.in_step)) % max(t.hosts)) / max(t.hosts) AS share,
  min(f.period_ms) AS interval_ms, f.remote_address AS remote_address, f.port AS remote_port, min(f.one_host) AS one_host,
  min(f.one_signature) AS one_signature
FROM fifths f
JOIN totals t ON t.remote_address = f.remote_address AND t.port = f.port AND t.interval_class = f.interval_class
GROUP BY f.remote_address, f.port, f.interval_class
HAVING max(f.in_step) >= 3 AND max(f.in_step) * 2 >= max(t.hosts)
ORDER BY max(f.in_step) DESC, f.remote_address, f.port, min(f.period_ms)
