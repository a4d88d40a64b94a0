-- Queries of the roll-ups, by name. Blocks are 256 series; hours begin at whole hours of UTC.
-- mark_due: hours of blocks that a batch has touched; the roller finds them once they are committed. One mark is enough
-- for an hour that is not over: over() below tells when nobody relies on it any more. An hour that is over gets another.
INSERT INTO rollup_due (block, hour)
SELECT block, hour FROM unnest(%(blocks)s, %(hours)s) AS t (block, hour)
WHERE hour + interval '1 hour' <= coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp())
  OR NOT EXISTS (SELECT FROM rollup_due d WHERE d.block = t.block AND d.hour = t.hour)

-- over: the wall time since which every transaction of ingest that is still open has begun
SELECT coalesce(min(xact_start), clock_timestamp()) AS since FROM pg_stat_activity
WHERE usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL

-- lock_rollups: one process rolls up; false while another one does
SELECT pg_try_advisory_lock(hashtext('citynet:rollups')) AS mine

-- due: what waits, block by block; hours that are not over only where asked for
SELECT block, hour FROM rollup_due WHERE hour < %(before)s
  AND hour >= coalesce((SELECT kept_from FROM retention WHERE class = 'readings'), '-infinity') GROUP BY block, hour ORDER BY block, hour LIMIT %(limit)s

-- forget_due: of hours whose readings have gone (ingest/retention.py) a late one would leave nothing but itself
DELETE FROM rollup_due WHERE hour < (SELECT kept_from FROM retention WHERE class = 'readings')

-- take_due: readings whose mark is gone now are seen by every later statement
DELETE FROM rollup_due WHERE block = %(block)s AND hour >= %(since)s AND hour < %(until)s

-- series: of a block, and what each measures
SELECT series_id, object_id, quantity, channel FROM series
WHERE series_id >= %(block)s::int * 256 AND series_id < (%(block)s::int + 1) * 256 ORDER BY series_id

-- ensure_partitions: of all months between two moments
SELECT rollup_partition_ensure(month) FROM generate_series(date_trunc('month', %(since)s::timestamptz),
  %(until)s::timestamptz, interval '1 month') AS m (month)

-- hours: the figures of whole hours; gives which hours they are
INSERT INTO rollup_hour AS h (series_id, hour, n, good, low, high, total, first, last, last_at)
SELECT s.series_id, r.* FROM unnest(%(ids)s::int[]) AS s (series_id)
CROSS JOIN LATERAL (
  SELECT date_bin('1 hour', time, '2000-01-01Z') AS hour, count(*)::int AS n,
    count(*) FILTER (WHERE quality & 4 = 0)::int AS good, min(value) FILTER (WHERE quality & 4 = 0),
    max(value) FILTER (WHERE quality & 4 = 0), sum(value) FILTER (WHERE quality & 4 = 0),
    (array_agg(value ORDER BY time) FILTER (WHERE quality & 4 = 0))[1],
    (array_agg(value ORDER BY time DESC) FILTER (WHERE quality & 4 = 0))[1], max(time) FILTER (WHERE quality & 4 = 0)
  FROM reading_newest WHERE series_id = s.series_id AND time >= %(since)s AND time < %(until)s GROUP BY 1) r
ON CONFLICT (series_id, hour) DO UPDATE SET (n, good, low, high, total, first, last, last_at) = (excluded.n, excluded.good,
  excluded.low, excluded.high, excluded.total, excluded.first, excluded.last, excluded.last_at)
RETURNING series_id, hour

-- registers: good readings of registers around a window: of each the whole hours up to the reading before it and after
-- it, since what lies between two readings changes with either, and one reading more on both sides
WITH bounds AS (
  SELECT s.series_id,
    coalesce((SELECT date_bin('1 hour', time, '2000-01-01Z') FROM reading_newest
      WHERE series_id = s.series_id AND time < %(since)s AND quality & 4 = 0 ORDER BY time DESC LIMIT 1), %(since)s) AS since,
    coalesce((SELECT date_bin('1 hour', time, '2000-01-01Z') + interval '1 hour' FROM reading_newest
      WHERE series_id = s.series_id AND time >= %(until)s AND quality & 4 = 0 ORDER BY time LIMIT 1), %(until)s) AS until
  FROM unnest(%(ids)s::int[]) AS s (series_id))
SELECT b.series_id, b.since, b.until, r.time, r.value FROM bounds b CROSS JOIN LATERAL (
  (SELECT time, value FROM reading_newest WHERE series_id = b.series_id AND time < b.since AND quality & 4 = 0
   ORDER BY time DESC LIMIT 1)
  UNION ALL
  SELECT time, value FROM reading_newest WHERE series_id = b.series_id AND time >= b.since AND time < b.until
    AND quality & 4 = 0
  UNION ALL
  (SELECT time, value FROM reading_newest WHERE series_id = b.series_id AND time >= b.until AND quality & 4 = 0
   ORDER BY time LIMIT 1)) r ORDER BY b.series_id, r.time

-- swaps: exchanges of meters with the registers of both
SELECT r.series_id, s.at, r.final, r.initial FROM device_swap_register r JOIN device_swap s USING (swap_id)
WHERE r.series_id = ANY(%(ids)s) ORDER BY s.at

-- meters: which device measured a point from when, its profile and what its register is multiplied by
SELECT p.object_id, p.valid_from, d.attributes->>'profile' AS profile, d.attributes->'transformer_ratio' AS ratio,
  d.attributes->'pulse_weight' AS weight
FROM device_point p JOIN object_now d ON d.object_id = p.device_id
WHERE p.object_id = ANY(%(objects)s) ORDER BY p.valid_from

-- profiles: the newest version of each
SELECT DISTINCT ON (name) name, body FROM profile WHERE name = ANY(%(names)s) ORDER BY name, version DESC

-- used: consumption of hours; an hour without a reading gets a row of its own
INSERT INTO rollup_hour AS h (series_id, hour, n, good, used, marks)
SELECT series_id, hour, 0, 0, used, marks FROM unnest(%(series)s, %(hours)s, %(used)s, %(marks)s)
  AS u (series_id, hour, used, marks)
ON CONFLICT (series_id, hour) DO UPDATE SET (used, marks) = (excluded.used, excluded.marks)

-- days: local days of series from their hours
INSERT INTO rollup_day AS d (series_id, day, n, good, low, high, total, first, last, last_at, used, marks)
SELECT t.series_id, t.day, h.* FROM unnest(%(series)s::int[], %(days)s::date[], %(since)s::timestamptz[],
  %(until)s::timestamptz[]) AS t (series_id, day, since, until)
CROSS JOIN LATERAL (
  SELECT sum(n)::int AS n, sum(good)::int, min(low), max(high), sum(total),
    (array_agg(first ORDER BY hour) FILTER (WHERE good > 0))[1],
    (array_agg(last ORDER BY hour DESC) FILTER (WHERE good > 0))[1], max(last_at), sum(used),
    -- 2 = partial: consumption is not known for every hour of the day
    (bit_or(marks) | CASE WHEN count(used) > 0 AND count(used) < extract(epoch FROM t.until - t.since) / 3600
      THEN 2 ELSE 0 END)::int2
  FROM rollup_hour WHERE series_id = t.series_id AND hour >= t.since AND hour < t.until HAVING count(*) > 0) h
ON CONFLICT (series_id, day) DO UPDATE SET (n, good, low, high, total, first, last, last_at, used, marks) = (excluded.n,
  excluded.good, excluded.low, excluded.high, excluded.total, excluded.first, excluded.last, excluded.last_at,
  excluded.used, excluded.marks)
