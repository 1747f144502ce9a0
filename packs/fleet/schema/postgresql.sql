-- Tables for beaconwatch's result logs and the rollups over them: PostgreSQL 15 or newer; tested with 15.
-- Generated from internal/fleet/schema, where it is changed. Load cases.sql after it.

-- Texts compare by their bytes, as on the other engines.
CREATE TABLE beacon_results (
  unix_time bigint NOT NULL,
  utc text COLLATE "C" NOT NULL,
  day text COLLATE "C" NOT NULL,
  host text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  query text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  counter bigint NOT NULL,
  alert_id text COLLATE "C" NOT NULL,
  signature text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  severity text COLLATE "C" NOT NULL,
  reason_codes text COLLATE "C" NOT NULL,
  interval_class text COLLATE "C" NOT NULL,
  size_class text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  script text COLLATE "C" NOT NULL,
  username text COLLATE "C" NOT NULL,
  systemd_unit text COLLATE "C" NOT NULL,
  container_image text COLLATE "C" NOT NULL,
  package_name text COLLATE "C" NOT NULL,
  sha256 text COLLATE "C" NOT NULL,
  rule text COLLATE "C" NOT NULL,
  role text COLLATE "C" NOT NULL,
  protocol text COLLATE "C" NOT NULL,
  remote_address text COLLATE "C" NOT NULL,
  remote_hostname text COLLATE "C" NOT NULL,
  destination_class text COLLATE "C" NOT NULL,
  remote_port bigint,
  expected bigint,
  network_facing bigint,
  insufficient bigint,
  process_count bigint,
  destinations bigint,
  connections bigint,
  beats bigint,
  bytes_sent bigint,
  interval_ms bigint,
  size_bytes bigint,
  first_seen bigint,
  last_seen bigint,
  score double precision,
  evidence double precision,
  jitter double precision,
  timing_share double precision,
  finding text COLLATE "C" NOT NULL,
  detail text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  level text COLLATE "C" NOT NULL,
  level_reason text COLLATE "C" NOT NULL,
  config_hash text COLLATE "C" NOT NULL,
  inventory_hash text COLLATE "C" NOT NULL,
  inventory_error text COLLATE "C" NOT NULL,
  last_error text COLLATE "C" NOT NULL,
  start_time bigint,
  samples bigint,
  late_samples bigint,
  max_gap_ms bigint,
  lost_events bigint,
  send_events bigint,
  unattributed_sends bigint,
  evictions bigint,
  rules bigint,
  rules_expired bigint,
  coverage_run text COLLATE "C" NOT NULL,
  columns jsonb NOT NULL,
  row_hash bytea NOT NULL,
  PRIMARY KEY (unix_time, host, name, action, epoch, counter, row_hash)
) PARTITION BY RANGE (unix_time);

CREATE INDEX beacon_results_signature ON beacon_results (signature, host, unix_time) WHERE kind = 'candidate';
CREATE INDEX beacon_results_host ON beacon_results (host, kind, unix_time);

-- Lines without a partition of their own land here: none is ever refused for its time.
CREATE TABLE beacon_results_default PARTITION OF beacon_results DEFAULT;

-- beacon_partition makes the partition of the week (from Thursday, as the epoch has it) that holds a time. Call it ahead of
-- time, once a day: SELECT beacon_partition(extract(epoch FROM now())::bigint + 7 * 86400).
CREATE FUNCTION beacon_partition(at bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  start bigint := at - at % 604800;
  partition text := 'beacon_results_' || to_char(to_timestamp(start) AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF beacon_results FOR VALUES FROM (%s) TO (%s)', partition, start, start + 604800);
  RETURN partition;
END $$;

-- beacon_expire drops the weeks that ended before a time, and returns how many there were.
CREATE FUNCTION beacon_expire(before bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  week record;
  dropped bigint := 0;
BEGIN
  FOR week IN SELECT relname, to_date(right(relname, 8), 'YYYYMMDD') AS start FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent = 'beacon_results'::regclass AND relname ~ '^beacon_results_[0-9]{8}$'
  LOOP
    IF extract(epoch FROM week.start AT TIME ZONE 'UTC') + 604800 <= before THEN
      EXECUTE format('DROP TABLE %I', week.relname);
      dropped := dropped + 1;
    END IF;
  END LOOP;
  DELETE FROM beacon_results_default WHERE unix_time < before;
  RETURN dropped;
END $$;

CREATE TABLE beacon_assets (
  host text COLLATE "C" PRIMARY KEY,
  role text COLLATE "C" NOT NULL DEFAULT ''
);

-- The time that counts as now, and after how many seconds without a line a host is silent.
CREATE VIEW beacon_settings AS SELECT extract(epoch FROM now())::bigint AS now, 10800::bigint AS silent_s;

-- The days of the log: each that has lines, and those after it without, up to the next one or to now. What is further than 400
-- days from any other line is the word of a wrong clock, and no days are missing before or after it.
CREATE VIEW beacon_days AS
WITH
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
)
SELECT to_char(to_timestamp(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD') COLLATE "C" AS day, at AS start_time
FROM spans CROSS JOIN LATERAL generate_series(mark_time, until_time - 1, 86400) AS at;

CREATE TABLE beacon_rejected (
  at timestamptz NOT NULL DEFAULT now(),
  reason text NOT NULL,
  line text NOT NULL
);

-- A number is what JSON calls one; anything else is NULL.
CREATE FUNCTION beacon_bigint(v text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v ~ '^-?(0|[1-9][0-9]{0,18})$' THEN
    CASE WHEN v::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN v::bigint END END
$$;

CREATE FUNCTION beacon_double(v text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN length(v) < 100 AND v ~ '^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$' THEN v::double precision END
$$;

-- beacon_problem says why an object is no result of a scheduled query; it is empty for one that is.
CREATE FUNCTION beacon_problem(r jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN CASE
    WHEN jsonb_typeof(r) <> 'object' THEN 'not a JSON object'
    WHEN coalesce(r ->> 'name', '') = '' THEN 'no name'
    WHEN coalesce(r ->> 'hostIdentifier', '') = '' THEN 'no hostIdentifier'
    WHEN coalesce(beacon_bigint(r ->> 'unixTime') NOT BETWEEN 0 AND 253402300799, true) THEN 'no unixTime, or not a time in seconds'
    WHEN jsonb_path_exists(r, 'strict $.snapshot[*] ? (@.type() != "object")', silent => true)
      OR jsonb_path_exists(r, 'strict $.diffResults.removed[*] ? (@.type() != "object")', silent => true)
      OR jsonb_path_exists(r, 'strict $.diffResults.added[*] ? (@.type() != "object")', silent => true) THEN 'a row is not an object'
    WHEN jsonb_typeof(r -> 'columns') = 'object' THEN
      CASE WHEN coalesce(r ->> 'action', '') IN ('added', 'removed', 'snapshot') THEN '' ELSE 'action is not added, removed or snapshot' END
    WHEN jsonb_typeof(r -> 'snapshot') = 'array' OR jsonb_typeof(r -> 'diffResults') = 'object' THEN ''
    ELSE 'not a result of a scheduled query: no columns, snapshot or diffResults'
  END;
END $$;

-- beacon_lines takes lines as osqueryd wrote them, by INSERT or COPY, and keeps none: each row of theirs goes to
-- beacon_results, once, and a line that cannot be read to beacon_rejected.
CREATE TABLE beacon_lines (line text NOT NULL);

-- Its INSERT is planned once a session: planning sixty columns takes longer than running them.
CREATE FUNCTION beacon_take_line() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  whole jsonb;
  result jsonb;
  problem text;
BEGIN
  BEGIN
    -- jsonb knows no NUL, JSON does: an odd number of backslashes before u0000
    IF strpos(NEW.line, '\u0000') > 0 THEN
      NEW.line := regexp_replace(NEW.line, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g');
    END IF;
    whole := NEW.line::jsonb;
  EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    IF NEW.line !~ '^\s*$' THEN
      INSERT INTO beacon_rejected (reason, line) VALUES ('broken JSON: ' || SQLERRM, NEW.line);
    END IF;
    RETURN NULL;
  END;
  FOR result IN
    SELECT e FROM jsonb_array_elements(CASE
      WHEN jsonb_typeof(whole) = 'array' THEN whole
      WHEN jsonb_typeof(whole -> 'data') = 'array' AND NOT whole ? 'name' THEN whole -> 'data'
      ELSE jsonb_build_array(whole) END) e
  LOOP
    CONTINUE WHEN jsonb_typeof(result) = 'object' AND result ?& ARRAY['severity', 'message'] AND NOT result ? 'name';
    problem := beacon_problem(result);
    IF problem = '' THEN
      -- an event, a snapshot or a batch; a snapshot without rows is one row, action empty
      INSERT INTO beacon_results
      SELECT
        h.at, to_char(to_timestamp(h.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(to_timestamp(h.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
        result ->> 'hostIdentifier', result ->> 'name',
        regexp_replace(result ->> 'name', '^(pack/(.*/)?|pack_[^_]+_)(?=.)', ''), x.action,
        CASE
          WHEN coalesce(x.c ->> 'signature', '') <> '' THEN 'candidate'
          WHEN coalesce(x.c ->> 'level', '') <> '' THEN 'status'
          WHEN coalesce(x.c ->> 'finding', '') <> '' THEN 'finding'
          WHEN coalesce(x.c ->> 'path', '') <> '' AND coalesce(x.c ->> 'remote_address', '') <> '' THEN 'traffic'
          WHEN coalesce(x.c ->> 'path', '') <> '' THEN 'program'
          ELSE 'other'
        END,
        coalesce(beacon_bigint(result ->> 'epoch'), 0), coalesce(beacon_bigint(result ->> 'counter'), 0),
        CASE WHEN coalesce(x.c ->> 'alert_id', '') <> '' OR coalesce(x.c ->> 'signature', '') = '' THEN coalesce(x.c ->> 'alert_id', '')
          ELSE encode(sha256(convert_to(x.c ->> 'signature', 'UTF8')), 'hex') END,
        coalesce(x.c ->> 'signature', ''),
        coalesce(x.c ->> 'scope', ''),
        coalesce(x.c ->> 'severity', ''),
        coalesce(x.c ->> 'reason_codes', ''),
        coalesce(x.c ->> 'interval_class', ''),
        coalesce(x.c ->> 'size_class', ''),
        coalesce(x.c ->> 'path', ''),
        coalesce(x.c ->> 'script', ''),
        coalesce(x.c ->> 'username', ''),
        coalesce(x.c ->> 'systemd_unit', ''),
        coalesce(x.c ->> 'container_image', ''),
        coalesce(x.c ->> 'package_name', ''),
        coalesce(x.c ->> 'sha256', ''),
        coalesce(x.c ->> 'rule', ''),
        CASE WHEN coalesce(x.c ->> 'role', '') = '' AND x.c ? 'role' AND jsonb_typeof(result #> '{decorations,role}') = 'string'
          THEN result #>> '{decorations,role}' ELSE coalesce(x.c ->> 'role', '') END,
        coalesce(x.c ->> 'protocol', ''),
        coalesce(x.c ->> 'remote_address', ''),
        coalesce(x.c ->> 'remote_hostname', ''),
        coalesce(x.c ->> 'destination_class', ''),
        beacon_bigint(x.c ->> 'remote_port'),
        beacon_bigint(x.c ->> 'expected'),
        beacon_bigint(x.c ->> 'network_facing'),
        beacon_bigint(x.c ->> 'insufficient'),
        beacon_bigint(x.c ->> 'process_count'),
        beacon_bigint(x.c ->> 'destinations'),
        beacon_bigint(x.c ->> 'connections'),
        beacon_bigint(x.c ->> 'beats'),
        beacon_bigint(x.c ->> 'bytes_sent'),
        beacon_bigint(x.c ->> 'interval_ms'),
        beacon_bigint(x.c ->> 'size_bytes'),
        beacon_bigint(x.c ->> 'first_seen'),
        beacon_bigint(x.c ->> 'last_seen'),
        beacon_double(x.c ->> 'score'),
        beacon_double(x.c ->> 'evidence'),
        beacon_double(x.c ->> 'jitter'),
        beacon_double(x.c ->> 'timing_share'),
        coalesce(x.c ->> 'finding', ''),
        coalesce(x.c ->> 'detail', ''),
        coalesce(x.c ->> 'version', ''),
        coalesce(x.c ->> 'level', ''),
        coalesce(x.c ->> 'level_reason', ''),
        coalesce(x.c ->> 'config_hash', ''),
        coalesce(x.c ->> 'inventory_hash', ''),
        coalesce(x.c ->> 'inventory_error', ''),
        coalesce(x.c ->> 'last_error', ''),
        beacon_bigint(x.c ->> 'start_time'),
        beacon_bigint(x.c ->> 'samples'),
        beacon_bigint(x.c ->> 'late_samples'),
        beacon_bigint(x.c ->> 'max_gap_ms'),
        beacon_bigint(x.c ->> 'lost_events'),
        beacon_bigint(x.c ->> 'send_events'),
        beacon_bigint(x.c ->> 'unattributed_sends'),
        beacon_bigint(x.c ->> 'evictions'),
        beacon_bigint(x.c ->> 'rules'),
        beacon_bigint(x.c ->> 'rules_expired'),
        coalesce(x.c ->> 'coverage_run', ''),
        x.c, sha256(convert_to(x.c::text, 'UTF8'))
      FROM (SELECT beacon_bigint(result ->> 'unixTime') AS at) h
      CROSS JOIN LATERAL (
        SELECT result ->> 'action' AS action, result -> 'columns' AS c WHERE jsonb_typeof(result -> 'columns') = 'object'
        UNION ALL
        SELECT 'snapshot', e FROM jsonb_array_elements(CASE WHEN jsonb_typeof(result -> 'snapshot') = 'array' THEN result -> 'snapshot' ELSE '[]' END) e
          WHERE jsonb_typeof(result -> 'columns') IS DISTINCT FROM 'object'
        UNION ALL
        SELECT 'empty', '{}' WHERE result -> 'snapshot' = '[]' AND jsonb_typeof(result -> 'columns') IS DISTINCT FROM 'object'
        UNION ALL
        SELECT d.action, e
          FROM (VALUES ('removed', result #> '{diffResults,removed}'), ('added', result #> '{diffResults,added}')) d (action, list)
          CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(d.list) = 'array' THEN d.list ELSE '[]' END) e
          WHERE jsonb_typeof(result -> 'columns') IS DISTINCT FROM 'object' AND jsonb_typeof(result -> 'snapshot') IS DISTINCT FROM 'array'
      ) x
      ON CONFLICT DO NOTHING;
    ELSE
      INSERT INTO beacon_rejected (reason, line) VALUES (problem, result::text);
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

CREATE TRIGGER beacon_lines_take BEFORE INSERT ON beacon_lines FOR EACH ROW EXECUTE FUNCTION beacon_take_line();

-- A rollup kept ready: who was seen on which day. REFRESH MATERIALIZED VIEW CONCURRENTLY beacon_seen_daily, once an hour.
CREATE MATERIALIZED VIEW beacon_seen_daily AS
  SELECT day, signature, count(DISTINCT host) AS hosts, min(unix_time) AS first_time, max(unix_time) AS last_time
  FROM beacon_results WHERE kind = 'candidate' AND action <> 'removed' GROUP BY day, signature;
CREATE UNIQUE INDEX beacon_seen_daily_key ON beacon_seen_daily (day, signature);
