-- Evidence for an audit: for each day and each host that was to be watched, whether it was.
--
-- Hosts are those of the asset list; without one, those that ever reported. hours are those of the day, UTC, with a report
-- of the sensor on itself; longest_gap_s is between two of its reports, counted to the day of the later one. full: no gap
-- over silent_s, never below full sight; partial: there were reports; none: there was not one. A day on which no host at
-- all sent a line is not in the list.
WITH expected AS (
  SELECT host FROM beacon_assets GROUP BY host
  UNION ALL
  SELECT host FROM beacon_results WHERE (SELECT count(*) FROM beacon_assets) = 0 GROUP BY host
),
days AS (
  SELECT day FROM beacon_results GROUP BY day
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
    unix_time - lag(unix_time, 1, unix_time) OVER (PARTITION BY host ORDER BY unix_time) AS gap_s
  FROM reports
),
watched AS (
  SELECT host, day, count(*) AS reports, count(DISTINCT unix_time - unix_time % 3600) AS hours, max(gap_s) AS longest_gap_s,
    min(report_utc) AS first_report, max(report_utc) AS last_report, min(report_level) AS lowest, max(report_level) AS highest, max(is_low) AS was_low
  FROM gaps
  GROUP BY host, day
)
SELECT d.day AS day, e.host AS host,
  CASE
    WHEN coalesce(w.reports, 0) = 0 THEN 'none'
    WHEN w.was_low = 1 OR w.longest_gap_s > s.silent_s THEN 'partial'
    ELSE 'full'
  END AS evidence,
  coalesce(w.reports, 0) AS reports, coalesce(w.hours, 0) AS hours, coalesce(w.longest_gap_s, 0) AS longest_gap_s,
  coalesce(w.first_report, '') AS first_report, coalesce(w.last_report, '') AS last_report,
  CASE WHEN w.lowest = w.highest THEN w.lowest WHEN coalesce(w.reports, 0) > 0 THEN w.lowest || ' to ' || w.highest ELSE '' END AS levels
FROM days d
CROSS JOIN expected e
CROSS JOIN beacon_settings s
LEFT JOIN watched w ON w.host = e.host AND w.day = d.day
ORDER BY d.day DESC, e.host
