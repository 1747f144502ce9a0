-- One row for each case: a signature on a host, opened, updated, and open or closed (closed is empty while it is open).
--
-- case_id is stable for a signature and a host, whatever rows come and go under it. opened is the first row, updated the
-- latest change, a dump after a restart of osquery being none. A case is closed when its last row was removed (removed),
-- when it is not in a dump that osquery wrote after a restart or with a new epoch (restart), or when a snapshot that once
-- had the signature has it no more (absent): osquery logs no removed row for what went away while it forgot.
DROP VIEW IF EXISTS beacon_cases;

CREATE VIEW beacon_cases AS
WITH steps AS (
  SELECT host, query, alert_id, signature, severity, row_hash, utc, epoch, counter, action,
    lag(action) OVER (PARTITION BY host, query, row_hash
      ORDER BY utc, CASE action WHEN 'added' THEN 1 ELSE 0 END, epoch, counter) AS before
  FROM beacon_results
  WHERE kind = 'candidate' AND action IN ('added', 'removed')
),
-- A row added twice without being removed: everything of that query was written anew. So it is with a new epoch.
dumps AS (
  SELECT host, query, max(dump_time) AS dump_time
  FROM (
    SELECT host, query, utc AS dump_time FROM steps WHERE action = 'added' AND before = 'added' AND counter = 0
    UNION ALL
    SELECT host, query, min(utc) AS dump_time FROM steps GROUP BY host, query, epoch
  ) all_dumps
  GROUP BY host, query
),
row_times AS (
  SELECT host, query, alert_id, signature, row_hash,
    max(CASE severity WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END) AS severity_rank,
    min(CASE WHEN action = 'added' THEN utc END) AS first_added,
    max(CASE WHEN action = 'added' THEN utc ELSE '' END) AS last_added,
    max(CASE WHEN action = 'removed' THEN utc ELSE '' END) AS last_removed,
    max(CASE WHEN action = 'removed' OR before IS NULL OR before <> 'added' THEN utc ELSE '' END) AS last_change
  FROM steps
  GROUP BY host, query, alert_id, signature, row_hash
),
row_ends AS (
  SELECT r.host AS host, r.query AS query, r.alert_id AS alert_id, r.signature AS signature, r.severity_rank AS severity_rank,
    r.first_added AS first_added, r.last_added AS last_added, r.last_removed AS last_removed, r.last_change AS last_change,
    CASE
      WHEN r.last_removed > r.last_added THEN r.last_removed
      WHEN d.dump_time > r.last_added THEN d.dump_time
      ELSE ''
    END AS ended,
    CASE WHEN r.last_removed > r.last_added THEN 'removed' WHEN d.dump_time > r.last_added THEN 'restart' ELSE '' END AS ended_by
  FROM row_times r
  JOIN dumps d ON d.host = r.host AND d.query = r.query
),
cases AS (
  SELECT host, alert_id, signature, min(first_added) AS opened, max(last_change) AS changed, max(last_added) AS added,
    sum(CASE WHEN ended = '' THEN 1 ELSE 0 END) AS rows_open, max(ended) AS case_ended, min(ended_by) AS case_ended_by,
    max(severity_rank) AS worst, max(CASE WHEN ended = '' THEN severity_rank ELSE 0 END) AS worst_open,
    count(DISTINCT query) AS queries
  FROM row_ends
  GROUP BY host, alert_id, signature
),
-- Snapshots that once had the signature, the last time that they did, and the first one after it that did not.
shown AS (
  SELECT host, query, alert_id, max(utc) AS last_shown
  FROM beacon_results
  WHERE kind = 'candidate' AND action = 'snapshot'
  GROUP BY host, query, alert_id
),
snapshots AS (
  SELECT host, query, utc
  FROM beacon_results
  WHERE action IN ('snapshot', 'empty')
  GROUP BY host, query, utc
),
absent AS (
  SELECT c.host AS host, c.alert_id AS alert_id, min(s.utc) AS absent_since
  FROM cases c
  JOIN shown w ON w.host = c.host AND w.alert_id = c.alert_id
  JOIN snapshots s ON s.host = w.host AND s.query = w.query
  WHERE c.rows_open > 0 AND s.utc > w.last_shown AND s.utc > c.added
  GROUP BY c.host, c.alert_id
),
judged AS (
  SELECT c.host AS host, c.alert_id AS alert_id, c.signature AS signature, c.opened AS opened, c.changed AS changed,
    c.queries AS queries, c.worst AS worst, c.worst_open AS worst_open,
    CASE WHEN c.rows_open = 0 THEN c.case_ended WHEN coalesce(a.absent_since, '') <> '' THEN a.absent_since ELSE '' END AS closed,
    CASE WHEN c.rows_open = 0 THEN c.case_ended_by WHEN coalesce(a.absent_since, '') <> '' THEN 'absent' ELSE '' END AS closed_by
  FROM cases c
  LEFT JOIN absent a ON a.host = c.host AND a.alert_id = c.alert_id
)
SELECT host || '/' || alert_id AS case_id, host, alert_id, signature, CASE WHEN closed <> '' THEN 'closed' ELSE 'open' END AS state,
  CASE CASE WHEN closed <> '' THEN worst ELSE worst_open END WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' ELSE 'info' END AS severity,
  opened, CASE WHEN closed > changed THEN closed ELSE changed END AS updated, closed, closed_by, queries
FROM judged;
