-- How common each beacon is: rare and regular comes first.
--
-- hosts have the signature, of_hosts report at all; same_path counts the hosts where the same program was seen talking, and
-- same_remote those where any program talked to the same destination. What a rule covers on every host stands last. The first
-- 500 are shown.
WITH fleet AS (
  SELECT count(DISTINCT host) AS of_hosts FROM beacon_results
),
pairs AS (
  SELECT signature, host, max(path) AS program, max(script) AS program_script, max(remote_address) AS address,
    max(coalesce(remote_port, -1)) AS port, max(score) AS best_score,
    max(CASE severity WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END) AS severity_rank,
    min(CASE WHEN expected = 1 THEN 1 ELSE 0 END) AS covered
  FROM beacon_results
  WHERE kind = 'candidate' AND action <> 'removed'
  GROUP BY signature, host
),
signatures AS (
  SELECT signature, count(*) AS hosts, max(program) AS program, max(program_script) AS program_script, max(address) AS address,
    max(port) AS port, max(best_score) AS best_score, max(severity_rank) AS severity_rank,
    min(covered) AS covered
  FROM pairs
  GROUP BY signature
),
programs AS (
  SELECT path AS program, script AS program_script, count(DISTINCT host) AS hosts
  FROM beacon_results
  WHERE path <> ''
  GROUP BY path, script
),
destinations AS (
  SELECT remote_address AS address, coalesce(remote_port, -1) AS port, count(DISTINCT host) AS hosts
  FROM beacon_results
  WHERE remote_address <> ''
  GROUP BY remote_address, coalesce(remote_port, -1)
)
SELECT s.hosts AS hosts, f.of_hosts AS of_hosts, coalesce(p.hosts, 0) AS same_path, coalesce(d.hosts, 0) AS same_remote,
  CASE s.severity_rank WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' ELSE 'info' END AS severity,
  s.best_score AS score, s.signature AS signature
FROM signatures s
CROSS JOIN fleet f
LEFT JOIN programs p ON p.program = s.program AND p.program_script = s.program_script
LEFT JOIN destinations d ON d.address = s.address AND d.port = s.port
ORDER BY s.covered, s.hosts, coalesce(d.hosts, 0), coalesce(s.best_score, 0) DESC, s.signature
LIMIT 500
