-- Tables for beaconwatch's result logs and the rollups over them: SQLite; beaconwatch.ext fleet makes them itself.
-- Generated from internal/fleet/schema, where it is changed. Load cases.sql after it.

CREATE TABLE IF NOT EXISTS beacon_results (
  unix_time BIGINT NOT NULL,
  utc TEXT NOT NULL,
  day TEXT NOT NULL,
  host TEXT NOT NULL,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  action TEXT NOT NULL,
  kind TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  counter BIGINT NOT NULL,
  alert_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  scope TEXT NOT NULL,
  severity TEXT NOT NULL,
  reason_codes TEXT NOT NULL,
  interval_class TEXT NOT NULL,
  size_class TEXT NOT NULL,
  path TEXT NOT NULL,
  script TEXT NOT NULL,
  username TEXT NOT NULL,
  systemd_unit TEXT NOT NULL,
  container_image TEXT NOT NULL,
  package_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  rule TEXT NOT NULL,
  role TEXT NOT NULL,
  protocol TEXT NOT NULL,
  remote_address TEXT NOT NULL,
  remote_hostname TEXT NOT NULL,
  destination_class TEXT NOT NULL,
  remote_port BIGINT,
  expected BIGINT,
  network_facing BIGINT,
  insufficient BIGINT,
  process_count BIGINT,
  destinations BIGINT,
  connections BIGINT,
  beats BIGINT,
  bytes_sent BIGINT,
  interval_ms BIGINT,
  size_bytes BIGINT,
  first_seen BIGINT,
  last_seen BIGINT,
  score REAL,
  evidence REAL,
  jitter REAL,
  timing_share REAL,
  finding TEXT NOT NULL,
  detail TEXT NOT NULL,
  version TEXT NOT NULL,
  level TEXT NOT NULL,
  level_reason TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  inventory_hash TEXT NOT NULL,
  inventory_error TEXT NOT NULL,
  last_error TEXT NOT NULL,
  start_time BIGINT,
  samples BIGINT,
  late_samples BIGINT,
  max_gap_ms BIGINT,
  lost_events BIGINT,
  send_events BIGINT,
  unattributed_sends BIGINT,
  evictions BIGINT,
  rules BIGINT,
  rules_expired BIGINT,
  coverage_run TEXT NOT NULL,
  columns TEXT NOT NULL,
  row_hash BLOB NOT NULL,
  UNIQUE (unix_time, host, name, action, epoch, counter, row_hash)
);

CREATE TABLE IF NOT EXISTS beacon_assets (
  host TEXT PRIMARY KEY,
  role TEXT NOT NULL
);

-- One row: the time that counts as now, and after how many seconds without a line a host is silent.
CREATE TABLE IF NOT EXISTS beacon_settings (
  now BIGINT NOT NULL,
  silent_s BIGINT NOT NULL
);

-- The days of the log: each that has lines, and those after it without, up to the next one or to now. What is further than 400
-- days from any other line is the word of a wrong clock, and no days are missing before or after it.
CREATE VIEW IF NOT EXISTS beacon_days AS
WITH RECURSIVE
marks AS (
  SELECT mark_time, max(has_lines) AS has_lines
  FROM (
    SELECT unix_time - unix_time % 86400 AS mark_time, 1 AS has_lines FROM beacon_results GROUP BY unix_time - unix_time % 86400
    UNION ALL
    SELECT now - now % 86400 AS mark_time, 0 AS has_lines FROM beacon_settings
  ) all_marks
  GROUP BY mark_time
),
holes AS (
  SELECT mark_time, has_lines, lead(mark_time, 1, mark_time + 86400) OVER (ORDER BY mark_time) AS next_time FROM marks
),
spans AS (
  SELECT mark_time, CASE WHEN next_time - mark_time <= 400 * 86400 THEN next_time ELSE mark_time + 86400 END AS until_time
  FROM holes
  WHERE has_lines = 1
),
days AS (
  SELECT mark_time, until_time FROM spans
  UNION ALL
  SELECT mark_time + 86400, until_time FROM days WHERE mark_time + 86400 < until_time
)
SELECT date(mark_time, 'unixepoch') AS day, mark_time AS start_time FROM days;
