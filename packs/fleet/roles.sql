-- Beacons by the role of their hosts: what every host of a role does is its job, what one of them does is not.
--
-- A host's role is what its sensor says, or else the asset list; an empty one is a role too.
WITH hosts AS (
  SELECT host, max(said) AS said, max(listed) AS listed
  FROM (
    SELECT host, max(role) AS said, '' AS listed FROM beacon_results GROUP BY host
    UNION ALL
    SELECT host, '' AS said, role AS listed FROM beacon_assets
  ) known
  GROUP BY host
),
roles AS (
  SELECT host, CASE WHEN said <> '' THEN said ELSE listed END AS host_role FROM hosts
),
sizes AS (
  SELECT host_role, count(*) AS role_hosts FROM roles GROUP BY host_role
),
pairs AS (
  SELECT host, signature, max(CASE severity WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END) AS severity_rank,
    max(score) AS best_score
  FROM beacon_results
  WHERE kind = 'candidate' AND action <> 'removed'
  GROUP BY host, signature
)
SELECT r.host_role AS role, max(z.role_hosts) AS role_hosts, count(*) AS hosts, min(p.host) AS one_host,
  CASE max(p.severity_rank) WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low' ELSE 'info' END AS severity,
  max(p.best_score) AS score, p.signature AS signature
FROM pairs p
JOIN roles r ON r.host = p.host
JOIN sizes z ON z.host_role = r.host_role
GROUP BY r.host_role, p.signature
ORDER BY r.host_role, count(*), max(p.severity_rank) DESC, p.signature
