-- Tables for beaconwatch's result logs and the rollups over them: ClickHouse, sharded and replicated; written for 26.7.
-- Generated from internal/fleet/schema, where it is changed. Load cases.sql after it.

-- It needs the macros cluster, shard and replica of a cluster with Keeper. Rows are sharded by host, so that all copies of
-- a row meet on one shard; any node takes lines and answers.
CREATE TABLE beacon_result_rows ON CLUSTER '{cluster}' (
  unix_time Int64 CODEC(DoubleDelta, ZSTD(1)),
  utc String CODEC(ZSTD(1)),
  day LowCardinality(String),
  host String,
  name LowCardinality(String),
  query LowCardinality(String),
  action LowCardinality(String),
  kind LowCardinality(String),
  epoch Int64,
  counter Int64,
  alert_id String,
  signature String,
  scope LowCardinality(String),
  severity LowCardinality(String),
  reason_codes String,
  interval_class LowCardinality(String),
  size_class LowCardinality(String),
  path String,
  script String,
  username LowCardinality(String),
  systemd_unit String,
  container_image String,
  package_name String,
  sha256 String,
  rule String,
  role LowCardinality(String),
  protocol LowCardinality(String),
  remote_address String,
  remote_hostname String,
  destination_class LowCardinality(String),
  remote_port Nullable(Int64),
  expected Nullable(Int64),
  network_facing Nullable(Int64),
  insufficient Nullable(Int64),
  process_count Nullable(Int64),
  destinations Nullable(Int64),
  connections Nullable(Int64),
  beats Nullable(Int64),
  bytes_sent Nullable(Int64),
  interval_ms Nullable(Int64),
  size_bytes Nullable(Int64),
  first_seen Nullable(Int64),
  last_seen Nullable(Int64),
  score Nullable(Float64),
  evidence Nullable(Float64),
  jitter Nullable(Float64),
  timing_share Nullable(Float64),
  finding LowCardinality(String),
  detail String,
  version LowCardinality(String),
  level LowCardinality(String),
  level_reason LowCardinality(String),
  config_hash LowCardinality(String),
  inventory_hash LowCardinality(String),
  inventory_error String,
  last_error String,
  start_time Nullable(Int64),
  samples Nullable(Int64),
  late_samples Nullable(Int64),
  max_gap_ms Nullable(Int64),
  lost_events Nullable(Int64),
  send_events Nullable(Int64),
  unattributed_sends Nullable(Int64),
  evictions Nullable(Int64),
  rules Nullable(Int64),
  rules_expired Nullable(Int64),
  coverage_run String,
  columns String CODEC(ZSTD(3)),
  row_hash FixedString(32)
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/beacon_result_rows', '{replica}')
ORDER BY (kind, host, unix_time, name, action, epoch, counter, row_hash)
PARTITION BY toYYYYMM(toDateTime(unix_time))
TTL toDateTime(unix_time) + INTERVAL 13 MONTH;

CREATE TABLE beacon_result_rows_all ON CLUSTER '{cluster}' AS beacon_result_rows
ENGINE = Distributed('{cluster}', currentDatabase(), beacon_result_rows, cityHash64(host));

CREATE VIEW beacon_results ON CLUSTER '{cluster}' AS SELECT * FROM beacon_result_rows_all FINAL;

-- Every node has all assets.
CREATE TABLE beacon_assets ON CLUSTER '{cluster}' (host String, role String DEFAULT '')
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/beacon_assets', '{shard}-{replica}') ORDER BY host;

-- The time that counts as now, and after how many seconds without a line a host is silent.
CREATE VIEW beacon_settings ON CLUSTER '{cluster}' AS SELECT toInt64(toUnixTimestamp(now())) AS now, toInt64(10800) AS silent_s;

-- The days of the log: each that has lines, and those after it without, up to the next one or to now. What is further than 400
-- days from any other line is the word of a wrong clock, and no days are missing before or after it.
CREATE VIEW beacon_days ON CLUSTER '{cluster}' AS
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
SELECT substring(toString(toDateTime64(start_time, 0, 'UTC')), 1, 10) AS day, start_time
FROM (SELECT arrayJoin(range(mark_time, until_time, 86400)) AS start_time FROM spans);

CREATE TABLE beacon_rejected ON CLUSTER '{cluster}' (at DateTime, reason String, line String)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/beacon_rejected', '{replica}') ORDER BY at TTL at + INTERVAL 1 MONTH;

-- beacon_lines takes lines as osqueryd wrote them and keeps none: INSERT INTO beacon_lines FORMAT LineAsString.
CREATE TABLE beacon_lines ON CLUSTER '{cluster}' (line String) ENGINE = Null;

CREATE MATERIALIZED VIEW beacon_decode ON CLUSTER '{cluster}' TO beacon_result_rows_all AS
SELECT
  assumeNotNull(JSONExtract(r, 'unixTime', 'Nullable(Int64)')) AS unix_time,
  toString(toDateTime64(unix_time, 0, 'UTC')) AS utc,
  substring(utc, 1, 10) AS day,
  JSONExtract(r, 'hostIdentifier', 'String') AS host,
  JSONExtract(r, 'name', 'String') AS name,
  if(match(name, '^(pack/(.*/)?|pack_[^_]+_).'), replaceRegexpOne(name, '^(pack/(.*/)?|pack_[^_]+_)', ''), name) AS query,
  x.1 AS action,
  multiIf(t.signature <> '', 'candidate', t.level <> '', 'status', t.finding <> '', 'finding',
    t.path <> '' AND t.remote_address <> '', 'traffic', t.path <> '', 'program', 'other') AS kind,
  ifNull(JSONExtract(r, 'epoch', 'Nullable(Int64)'), 0) AS epoch,
  ifNull(JSONExtract(r, 'counter', 'Nullable(Int64)'), 0) AS counter,
  if(t.alert_id <> '' OR t.signature = '', t.alert_id, lower(hex(SHA256(t.signature)))) AS alert_id,
  t.signature AS signature,
  t.scope AS scope,
  t.severity AS severity,
  t.reason_codes AS reason_codes,
  t.interval_class AS interval_class,
  t.size_class AS size_class,
  t.path AS path,
  t.script AS script,
  t.username AS username,
  t.systemd_unit AS systemd_unit,
  t.container_image AS container_image,
  t.package_name AS package_name,
  t.sha256 AS sha256,
  t.rule AS rule,
  if(t.role <> '' OR NOT JSONHas(x.2, 'role') OR JSONType(r, 'decorations', 'role') <> 'String', t.role, JSONExtractString(r, 'decorations', 'role')) AS role,
  t.protocol AS protocol,
  t.remote_address AS remote_address,
  t.remote_hostname AS remote_hostname,
  t.destination_class AS destination_class,
  toInt64OrNull(t.remote_port) AS remote_port,
  toInt64OrNull(t.expected) AS expected,
  toInt64OrNull(t.network_facing) AS network_facing,
  toInt64OrNull(t.insufficient) AS insufficient,
  toInt64OrNull(t.process_count) AS process_count,
  toInt64OrNull(t.destinations) AS destinations,
  toInt64OrNull(t.connections) AS connections,
  toInt64OrNull(t.beats) AS beats,
  toInt64OrNull(t.bytes_sent) AS bytes_sent,
  toInt64OrNull(t.interval_ms) AS interval_ms,
  toInt64OrNull(t.size_bytes) AS size_bytes,
  toInt64OrNull(t.first_seen) AS first_seen,
  toInt64OrNull(t.last_seen) AS last_seen,
  if(isFinite(toFloat64OrNull(t.score)), toFloat64OrNull(t.score), NULL) AS score,
  if(isFinite(toFloat64OrNull(t.evidence)), toFloat64OrNull(t.evidence), NULL) AS evidence,
  if(isFinite(toFloat64OrNull(t.jitter)), toFloat64OrNull(t.jitter), NULL) AS jitter,
  if(isFinite(toFloat64OrNull(t.timing_share)), toFloat64OrNull(t.timing_share), NULL) AS timing_share,
  t.finding AS finding,
  t.detail AS detail,
  t.version AS version,
  t.level AS level,
  t.level_reason AS level_reason,
  t.config_hash AS config_hash,
  t.inventory_hash AS inventory_hash,
  t.inventory_error AS inventory_error,
  t.last_error AS last_error,
  toInt64OrNull(t.start_time) AS start_time,
  toInt64OrNull(t.samples) AS samples,
  toInt64OrNull(t.late_samples) AS late_samples,
  toInt64OrNull(t.max_gap_ms) AS max_gap_ms,
  toInt64OrNull(t.lost_events) AS lost_events,
  toInt64OrNull(t.send_events) AS send_events,
  toInt64OrNull(t.unattributed_sends) AS unattributed_sends,
  toInt64OrNull(t.evictions) AS evictions,
  toInt64OrNull(t.rules) AS rules,
  toInt64OrNull(t.rules_expired) AS rules_expired,
  t.coverage_run AS coverage_run,
  x.2 AS columns,
  SHA256(columns) AS row_hash
FROM (
  SELECT r, x, JSONExtract(x.2, 'Tuple(alert_id String, signature String, scope String, severity String, reason_codes String, interval_class String, size_class String, path String, script String, username String, systemd_unit String, container_image String, package_name String, sha256 String, rule String, role String, protocol String, remote_address String, remote_hostname String, destination_class String, remote_port String, expected String, network_facing String, insufficient String, process_count String, destinations String, connections String, beats String, bytes_sent String, interval_ms String, size_bytes String, first_seen String, last_seen String, score String, evidence String, jitter String, timing_share String, finding String, detail String, version String, level String, level_reason String, config_hash String, inventory_hash String, inventory_error String, last_error String, start_time String, samples String, late_samples String, max_gap_ms String, lost_events String, send_events String, unattributed_sends String, evictions String, rules String, rules_expired String, coverage_run String)') AS t
  FROM (
    SELECT r, arrayJoin(multiIf(
      JSONType(r, 'columns') = 'Object', [(JSONExtract(r, 'action', 'String'), JSONExtractRaw(r, 'columns'))],
      JSONType(r, 'snapshot') = 'Array', if(empty(JSONExtractArrayRaw(r, 'snapshot')), [('empty', '{}')],
        arrayMap(e -> ('snapshot', e), JSONExtractArrayRaw(r, 'snapshot'))),
      arrayConcat(arrayMap(e -> ('removed', e), JSONExtractArrayRaw(r, 'diffResults', 'removed')),
        arrayMap(e -> ('added', e), JSONExtractArrayRaw(r, 'diffResults', 'added'))))) AS x
    FROM (
  SELECT arrayJoin(multiIf(
    JSONType(line) = 'Array', JSONExtractArrayRaw(line),
    JSONType(line, 'data') = 'Array' AND NOT JSONHas(line, 'name'), JSONExtractArrayRaw(line, 'data'),
    [line])) AS r
  FROM beacon_lines
  WHERE isValidJSON(line)
    )
    WHERE multiIf(
    JSONType(r) <> 'Object', 'not a JSON object',
    JSONHas(r, 'severity') AND JSONHas(r, 'message') AND NOT JSONHas(r, 'name'), 'status',
    JSONExtract(r, 'name', 'String') = '', 'no name',
    JSONExtract(r, 'hostIdentifier', 'String') = '', 'no hostIdentifier',
    ifNull(JSONExtract(r, 'unixTime', 'Nullable(Int64)'), -1) NOT BETWEEN 0 AND 253402300799, 'no unixTime, or not a time in seconds',
    arrayExists(x -> JSONType(x) <> 'Object', arrayConcat(JSONExtractArrayRaw(r, 'snapshot'),
      JSONExtractArrayRaw(r, 'diffResults', 'removed'), JSONExtractArrayRaw(r, 'diffResults', 'added'))), 'a row is not an object',
    JSONType(r, 'columns') = 'Object',
      if(JSONExtract(r, 'action', 'String') IN ('added', 'removed', 'snapshot'), '', 'action is not added, removed or snapshot'),
    JSONType(r, 'snapshot') = 'Array' OR JSONType(r, 'diffResults') = 'Object', '',
    'not a result of a scheduled query: no columns, snapshot or diffResults') = ''
  )
);

CREATE MATERIALIZED VIEW beacon_reject_broken ON CLUSTER '{cluster}' TO beacon_rejected AS
SELECT now() AS at, 'broken JSON' AS reason, line FROM beacon_lines WHERE NOT isValidJSON(line) AND NOT match(line, '^\\s*$');

CREATE MATERIALIZED VIEW beacon_reject ON CLUSTER '{cluster}' TO beacon_rejected AS
SELECT now() AS at, multiIf(
    JSONType(r) <> 'Object', 'not a JSON object',
    JSONHas(r, 'severity') AND JSONHas(r, 'message') AND NOT JSONHas(r, 'name'), 'status',
    JSONExtract(r, 'name', 'String') = '', 'no name',
    JSONExtract(r, 'hostIdentifier', 'String') = '', 'no hostIdentifier',
    ifNull(JSONExtract(r, 'unixTime', 'Nullable(Int64)'), -1) NOT BETWEEN 0 AND 253402300799, 'no unixTime, or not a time in seconds',
    arrayExists(x -> JSONType(x) <> 'Object', arrayConcat(JSONExtractArrayRaw(r, 'snapshot'),
      JSONExtractArrayRaw(r, 'diffResults', 'removed'), JSONExtractArrayRaw(r, 'diffResults', 'added'))), 'a row is not an object',
    JSONType(r, 'columns') = 'Object',
      if(JSONExtract(r, 'action', 'String') IN ('added', 'removed', 'snapshot'), '', 'action is not added, removed or snapshot'),
    JSONType(r, 'snapshot') = 'Array' OR JSONType(r, 'diffResults') = 'Object', '',
    'not a result of a scheduled query: no columns, snapshot or diffResults') AS reason, r AS line FROM (
  SELECT arrayJoin(multiIf(
    JSONType(line) = 'Array', JSONExtractArrayRaw(line),
    JSONType(line, 'data') = 'Array' AND NOT JSONHas(line, 'name'), JSONExtractArrayRaw(line, 'data'),
    [line])) AS r
  FROM beacon_lines
  WHERE isValidJSON(line)
) WHERE reason NOT IN ('', 'status');

-- A rollup kept ready: who was seen on which day. Copies of a row change none of its figures.
CREATE TABLE beacon_seen_daily_states ON CLUSTER '{cluster}' (
  day LowCardinality(String),
  signature String,
  hosts AggregateFunction(uniqExact, String),
  first_time SimpleAggregateFunction(min, Int64),
  last_time SimpleAggregateFunction(max, Int64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/{database}/beacon_seen_daily_states', '{replica}') ORDER BY (day, signature);

CREATE TABLE beacon_seen_daily_states_all ON CLUSTER '{cluster}' AS beacon_seen_daily_states
ENGINE = Distributed('{cluster}', currentDatabase(), beacon_seen_daily_states);

CREATE MATERIALIZED VIEW beacon_seen_daily_fill ON CLUSTER '{cluster}' TO beacon_seen_daily_states AS
SELECT day, signature, uniqExactState(host) AS hosts, min(unix_time) AS first_time, max(unix_time) AS last_time
FROM beacon_result_rows WHERE kind = 'candidate' AND action <> 'removed' GROUP BY day, signature;

CREATE VIEW beacon_seen_daily ON CLUSTER '{cluster}' AS
SELECT day, signature, uniqExactMerge(hosts) AS hosts, min(first_time) AS first_time, max(last_time) AS last_time
FROM beacon_seen_daily_states_all GROUP BY day, signature;
