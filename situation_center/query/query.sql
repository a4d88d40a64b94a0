-- Queries of readings, by name; each goes through a function that takes the services and zones of whoever asks.
-- series: of a place (NULL = the city), objects or by number, with their words; a page in order of series_id.
SELECT s.series_id, s.object_id, o.key, o.name_ru AS object_ru, o.name_en AS object_en, o.service, s.quantity, s.channel,
  s.unit, n.time, n.value, n.quality
FROM series s JOIN object_now o USING (object_id) LEFT JOIN newest n USING (series_id)
WHERE s.series_id > %(after)s AND (%(ids)s::int[] IS NULL OR s.series_id = ANY(%(ids)s))
  AND (%(place)s::int IS NULL OR s.series_id IN (SELECT series_within(%(place)s, '{}', '{}', '{}')))
  AND (%(quantities)s::text[] = '{}' OR s.quantity = ANY(%(quantities)s))
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY s.series_id LIMIT %(limit)s

-- newest_at: what series said at a moment, as it was known at another.
SELECT * FROM newest_at(%(ids)s, %(as_of)s, %(known_at)s, %(services)s, %(zones)s)

-- quantities: that series of a place measure.
SELECT DISTINCT s.quantity FROM series_within(%(place)s, '{}', %(services)s, %(zones)s) AS p JOIN series s ON s.series_id = p

-- members: how many series of a place measure a quantity.
SELECT count(*)::int AS n FROM series_within(%(place)s, %(quantities)s, %(services)s, %(zones)s)

-- counted: how many readings, and days with any, series have in local days, by the roll-ups.
SELECT * FROM rows_counted(%(place)s, %(ids)s, %(quantities)s, %(since)s, %(until)s, %(services)s, %(zones)s)

-- piece_raw: readings as packed columns, series by series; so many at once that a piece is small and a journey is worth it.
SELECT count(*)::int AS n, string_agg(int4send(series_id), '') AS series, string_agg(timestamptz_send(time), '') AS time,
  string_agg(float8send(value), '') AS value, string_agg(int2send(quality), '') AS quality
FROM readings_of(%(ids)s, %(since)s, %(until)s, %(after)s, %(most)s, %(known)s, %(services)s, %(zones)s)

-- piece_hour: hours as packed columns; NaN is what is not known.
SELECT count(*)::int AS n, string_agg(int4send(series_id), '') AS series, string_agg(timestamptz_send(start), '') AS time,
  string_agg(int4send(n), '') AS readings, string_agg(int4send(good), '') AS good,
  string_agg(float8send(coalesce(low, 'NaN')), '') AS low, string_agg(float8send(coalesce(high, 'NaN')), '') AS high,
  string_agg(float8send(coalesce(total / nullif(good, 0), 'NaN')), '') AS mean,
  string_agg(float8send(coalesce(first, 'NaN')), '') AS first, string_agg(float8send(coalesce(last, 'NaN')), '') AS last,
  string_agg(float8send(coalesce(used, 'NaN')), '') AS used, string_agg(int2send(marks), '') AS marks
FROM hours_of(%(ids)s, %(since)s, %(until)s, %(after)s, %(most)s, %(services)s, %(zones)s)

-- piece_day: local days as packed columns.
SELECT count(*)::int AS n, string_agg(int4send(series_id), '') AS series, string_agg(date_send(start), '') AS time,
  string_agg(int4send(n), '') AS readings, string_agg(int4send(good), '') AS good,
  string_agg(float8send(coalesce(low, 'NaN')), '') AS low, string_agg(float8send(coalesce(high, 'NaN')), '') AS high,
  string_agg(float8send(coalesce(total / nullif(good, 0), 'NaN')), '') AS mean,
  string_agg(float8send(coalesce(first, 'NaN')), '') AS first, string_agg(float8send(coalesce(last, 'NaN')), '') AS last,
  string_agg(float8send(coalesce(used, 'NaN')), '') AS used, string_agg(int2send(marks), '') AS marks
FROM days_of(%(ids)s, %(since)s, %(until)s, %(after)s, %(most)s, %(services)s, %(zones)s)

-- window_raw: readings of one series.
SELECT time, value, value AS low, value AS high FROM readings_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s,
  %(known)s, %(services)s, %(zones)s)

-- window_hour: mean or consumption of hours; those that are not rolled up yet from the readings.
WITH due AS (
  SELECT DISTINCT hour FROM rollup_due
  WHERE block = %(id)s::int / 256 AND hour >= %(since)s AND hour < %(until)s)
SELECT start AS time, CASE WHEN %(counts)s THEN used ELSE total / nullif(good, 0) END AS value, low, high
FROM hours_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s, %(services)s, %(zones)s)
WHERE %(counts)s OR start NOT IN (SELECT hour FROM due)
UNION ALL
SELECT d.hour, r.value, r.low, r.high FROM due d CROSS JOIN LATERAL (
  SELECT avg(value) AS value, min(value) AS low, max(value) AS high
  FROM readings_of(ARRAY[%(id)s::int], d.hour, d.hour + interval '1 hour', NULL, 2147483647, 'infinity', %(services)s, %(zones)s)
  WHERE quality & 4 = 0) r
WHERE NOT %(counts)s
ORDER BY time LIMIT %(limit)s

-- window_day: mean or consumption of local days.
SELECT start AS time, CASE WHEN %(counts)s THEN used ELSE total / nullif(good, 0) END AS value, low, high
FROM days_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s, %(services)s, %(zones)s)

-- versions: of corrected readings.
SELECT * FROM versions_of(ARRAY[%(id)s::int], %(since)s, %(until)s, %(limit)s, %(services)s, %(zones)s)

-- totals_hour: of hours.
SELECT * FROM hour_totals(%(place)s, %(quantities)s, %(since)s, %(until)s, %(services)s, %(zones)s)

-- totals_day: of local days.
SELECT * FROM day_totals(%(place)s, %(quantities)s, %(since)s, %(until)s, %(services)s, %(zones)s)

-- totals_month: of months that begin on a day of theirs.
SELECT * FROM month_totals(%(place)s, %(quantities)s, %(since)s, %(until)s, %(begins)s, %(services)s, %(zones)s)

-- piece_month: months of whole series as packed columns.
WITH months AS (
  SELECT series_id, month AS start, sum(n)::int AS n, sum(good)::int AS good, min(low) AS low, max(high) AS high,
    sum(total) / nullif(sum(good), 0) AS mean, (array_agg(first ORDER BY start) FILTER (WHERE first IS NOT NULL))[1] AS first,
    (array_agg(last ORDER BY start DESC) FILTER (WHERE last IS NOT NULL))[1] AS last, sum(used) AS used,
    bit_or(marks) AS marks
  FROM (
    SELECT *, (date_trunc('month', start - %(begins)s::int + 1) + make_interval(days => %(begins)s::int - 1))::date AS month
    FROM days_of(%(ids)s, %(since)s, %(until)s, NULL, 2147483647, %(services)s, %(zones)s)) d
  GROUP BY series_id, month ORDER BY series_id, month)
SELECT count(*)::int AS n, string_agg(int4send(series_id), '') AS series, string_agg(date_send(start), '') AS time,
  string_agg(int4send(n), '') AS readings, string_agg(int4send(good), '') AS good,
  string_agg(float8send(coalesce(low, 'NaN')), '') AS low, string_agg(float8send(coalesce(high, 'NaN')), '') AS high,
  string_agg(float8send(coalesce(mean, 'NaN')), '') AS mean, string_agg(float8send(coalesce(first, 'NaN')), '') AS first,
  string_agg(float8send(coalesce(last, 'NaN')), '') AS last, string_agg(float8send(coalesce(used, 'NaN')), '') AS used,
  string_agg(int2send(marks), '') AS marks
FROM months
