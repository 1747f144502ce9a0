-- Evidence for an audit: for each day and each host that was to be watched, whether it was.
--
-- Hosts are those of the asset list; without one, those that ever reported. Days are all from the first line to the last, with
-- lines or without. hours are those of the day, UTC, with a report of the sensor on itself. longest_gap_s is the longest time
-- without one: between two reports, counted to the day of the later one, from the start of the day to a host's first report
-- ever, and from the last report of the day to its end, or to now. full: no gap over silent_s, never below full sight;
-- partial: there were reports; none: there was not one.
WITH expected AS (
  SELECT host FROM beacon_assets GROUP BY host
  UNION ALL
  SELECT host FROM beacon_results WHERE (SELECT count(*) FROM beacon_assets) = 0 GROUP BY host
),
days AS (
  SELECT d.day AS day, d.start_time AS start_time, s.silent_s AS silent_s,
    CASE WHEN s.now < d.start_time + 86400 THEN s.now ELSE d.start_time + 86400 END AS end_time
  FROM beacon_days d
  CROSS JOIN beacon_settings s
),
reports AS (
  SELECT host, day, unix_time, min(utc) AS report_utc, max(CASE WHEN level IN ('proc', 'none') THEN 1 ELSE 0 END) AS is_low,
    max(level) AS report_level
  FROM beacon_results
  WHERE kind = 'status' AND action <> 'removed'
  GROUP BY host, day, unix_time
),
gaps AS (
  SELECT host, day, unix_time, report_utc, is_low, report_level,
    unix_time - lag(unix_time, 1, unix_time - unix_time % 86400) OVER (PARTITION BY host ORDER BY unix_time) AS gap_s
  FROM reports
),
watched AS (
  SELECT host, day, count(*) AS reports, count(DISTINCT unix_time - unix_time % 3600) AS hours, max(gap_s) AS longest_gap_s,
    max(unix_time) AS last_time, min(report_utc) AS first_report, max(report_utc) AS last_report, min(report_level) AS lowest,
    max(report_level) AS highest, max(is_low) AS was_low
  FROM gaps
  GROUP BY host, day
),
host_days AS (
  SELECT d.day AS day, e.host AS host, d.silent_s AS silent_s, coalesce(w.reports, 0) AS reports, coalesce(w.hours, 0) AS hours,
    CASE
      WHEN coalesce(w.reports, 0) = 0 THEN d.end_time - d.start_time
      WHEN d.end_time - w.last_time > w.longest_gap_s THEN d.end_time - w.last_time
      ELSE w.longest_gap_s
    END AS longest_gap_s,
    coalesce(w.first_report, '') AS first_report, coalesce(w.last_report, '') AS last_report, w.lowest AS lowest,
    w.highest AS highest, coalesce(w.was_low, 0) AS was_low
  FROM days d
  CROSS JOIN expected e
  LEFT JOIN watched w ON w.host = e.host AND w.day = d.day
)
SELECT day, host,
  CASE WHEN reports = 0 THEN 'none' WHEN was_low = 1 OR longest_gap_s > silent_s THEN 'partial' ELSE 'full' END AS evidence,
  reports, hours, longest_gap_s, first_report, last_report,
  CASE WHEN lowest = highest THEN lowest WHEN reports > 0 THEN lowest || ' to ' || highest ELSE '' END AS levels
FROM host_days
ORDER BY day DESC, host
