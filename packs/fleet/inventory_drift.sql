-- Hosts whose inventory, configuration or version is not that of most hosts of their role, or whose inventory failed to load.
--
-- same is how many hosts of the role have this inventory, configuration and version, role_hosts how many there are; since
-- is when the host first reported this inventory. Hashes are cut to twelve digits for reading, not for comparing.
WITH statuses AS (
  SELECT host, utc, role, version, config_hash, inventory_hash, inventory_error, coalesce(rules_expired, 0) AS expired,
    row_number() OVER (PARTITION BY host ORDER BY unix_time DESC, query, row_hash) AS place,
    min(utc) OVER (PARTITION BY host, inventory_hash) AS since
  FROM beacon_results
  WHERE kind = 'status' AND action <> 'removed'
),
latest AS (
  SELECT host, utc, since, role, version, config_hash, inventory_hash, inventory_error, expired
  FROM statuses
  WHERE place = 1
),
variants AS (
  SELECT role, version, config_hash, inventory_hash, count(*) AS same
  FROM latest
  GROUP BY role, version, config_hash, inventory_hash
),
ranked AS (
  SELECT role, version, config_hash, inventory_hash, same, sum(same) OVER (PARTITION BY role) AS role_hosts,
    row_number() OVER (PARTITION BY role ORDER BY same DESC, version DESC, inventory_hash, config_hash) AS place
  FROM variants
),
usual AS (
  SELECT role, version, config_hash, inventory_hash FROM ranked WHERE place = 1
)
SELECT l.role AS role, l.host AS host, v.same AS same, v.role_hosts AS role_hosts,
  CASE WHEN l.inventory_hash <> u.inventory_hash THEN 'inventory ' ELSE '' END ||
    CASE WHEN l.config_hash <> u.config_hash THEN 'configuration ' ELSE '' END ||
    CASE WHEN l.version <> u.version THEN 'version ' ELSE '' END ||
    CASE WHEN l.inventory_error <> '' THEN 'error ' ELSE '' END ||
    CASE WHEN l.expired > 0 THEN 'expired ' ELSE '' END AS differs,
  substr(l.inventory_hash, 1, 12) AS inventory, substr(l.config_hash, 1, 12) AS configuration, l.version AS version,
  l.since AS since, l.inventory_error AS inventory_error, l.expired AS rules_expired
FROM latest l
JOIN ranked v ON v.role = l.role AND v.version = l.version AND v.config_hash = l.config_hash AND v.inventory_hash = l.inventory_hash
JOIN usual u ON u.role = l.role
WHERE v.place > 1 OR l.inventory_error <> '' OR l.expired > 0
ORDER BY l.role, v.same, l.host
