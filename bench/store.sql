-- Queries of the benchmark `store`, by name.
-- ensure: the partition of a day
SELECT reading_partition_ensure(%s)

-- fill: a day of some series, moment after moment
INSERT INTO reading (series_id, time, received, value, quality)
SELECT s, t, t + interval '2 s', floor(200 + 50 * sin(extract(epoch FROM t) / 13751) + s %% 90 + 20 * random()) / 10, 0
FROM generate_series(%(day)s::timestamptz, %(day)s::timestamptz + interval '1 day' - %(step)s, %(step)s) AS t,
  unnest(%(ids)s::int[]) AS s

-- mark: every hour is to be rolled up
INSERT INTO rollup_due (block, hour)
SELECT block, hour FROM (SELECT DISTINCT i / 256 FROM unnest(%(ids)s::int[]) AS i) AS b (block),
  generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '1 hour', interval '1 hour') AS hour

-- bare: what a program without rights, corrections and steps would ask
SELECT time, value, quality FROM reading WHERE series_id = %(id)s AND time >= %(since)s AND time < %(until)s ORDER BY time

-- sizes: bytes of readings with everything, of their indexes alone, of hours and of days
SELECT sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'reading\_%'),
  sum(pg_indexes_size(c.oid)) FILTER (WHERE c.relname LIKE 'reading\_%'),
  sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'rollup\_hour\_%'), pg_total_relation_size('rollup_day')
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('reading'::regclass, 'rollup_hour'::regclass)
