-- Cases for people: every signature on every host that alerted, the open ones first, the worst of them on top.
SELECT state, severity, host, substr(opened, 1, 16) AS opened, substr(updated, 1, 16) AS updated, signature
FROM beacon_cases
ORDER BY state DESC, CASE severity WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END DESC, beacon_cases.opened, host,
  signature
