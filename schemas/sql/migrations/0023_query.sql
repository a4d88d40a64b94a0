-- Readings for the situation centre: through functions that ask what the viewer may know (decision 0048).
CREATE INDEX object_version_zones ON object_version USING gin (zone_ids) WHERE recorded_to = 'infinity';
CREATE INDEX rollup_day_day ON rollup_day (day);
CREATE INDEX rollup_hour_hour ON rollup_hour USING brin (hour);

-- ---------------------------------------------------------------- readings as the situation centre asks for them
-- It has no right on readings and roll-ups, only these functions, and each takes what whoever asks may know: services and
-- zones, empty = all, as access.allowed() has it (decision 0048).
CREATE FUNCTION series_permitted(ids int[], services text[], zones int[]) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  SELECT s.series_id FROM series s JOIN object_now o USING (object_id)
  WHERE s.series_id = ANY(ids) AND (services = '{}' OR o.service IS NULL OR o.service = ANY(services))
    AND (zones = '{}' OR o.zone_ids = '{}' OR o.zone_ids && zones) ORDER BY s.series_id $$;

-- An object, what lies in it where it is a zone, and all that hangs below those; NULL = the city.
CREATE FUNCTION objects_within(place int) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE tree AS (
    SELECT object_id FROM object_now WHERE place IS NULL OR object_id = place
    UNION SELECT object_id FROM object_now WHERE zone_ids @> ARRAY[place]
    UNION SELECT o.object_id FROM tree t JOIN object_now o ON o.parent_id = t.object_id WHERE place IS NOT NULL)
  SELECT object_id FROM tree $$;

CREATE FUNCTION series_within(place int, quantities text[], services text[], zones int[]) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  SELECT s.series_id FROM series s JOIN object_now o USING (object_id)
  WHERE (quantities = '{}' OR s.quantity = ANY(quantities))
    AND (place IS NULL OR o.object_id IN (SELECT objects_within(place)))
    AND (services = '{}' OR o.service IS NULL OR o.service = ANY(services))
    AND (zones = '{}' OR o.zone_ids = '{}' OR o.zone_ids && zones) ORDER BY s.series_id $$;

-- Readings in [since, until), series by series in order of time, at most so many; of the first series only those after a
-- moment, so that a long window is read in pieces. known: corrections recorded until then count, -infinity = as received.
CREATE FUNCTION readings_of(ids int[], since timestamptz, until timestamptz, after timestamptz, most int,
  known timestamptz, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, received timestamptz, value float8, quality int2, version int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later timestamptz;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    IF EXISTS (SELECT FROM reading_edit e WHERE e.series_id = one AND e.time >= since AND e.time < until AND e.at <= known) THEN
      RETURN QUERY SELECT r.series_id, r.time, r.received, coalesce(e.value, r.value),
          CASE WHEN e.quality IS NULL THEN r.quality ELSE (r.quality & 56::int2 | e.quality)::int2 END, coalesce(e.version, 0)
        FROM reading r LEFT JOIN LATERAL (
          SELECT e.value, e.quality, e.version FROM reading_edit e
          WHERE e.series_id = one AND e.time = r.time AND e.at <= known ORDER BY e.version DESC LIMIT 1) e ON true
        WHERE r.series_id = one AND r.time >= since AND r.time < until AND r.time > later ORDER BY r.time LIMIT wanted;
    ELSE
      RETURN QUERY SELECT r.series_id, r.time, r.received, r.value, r.quality, 0 FROM reading r
        WHERE r.series_id = one AND r.time >= since AND r.time < until AND r.time > later ORDER BY r.time LIMIT wanted;
    END IF;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

CREATE FUNCTION hours_of(ids int[], since timestamptz, until timestamptz, after timestamptz, most int,
  services text[], zones int[])
RETURNS TABLE (series_id int, start timestamptz, n int, good int, low float8, high float8, total float8, first float8,
  last float8, used float8, marks int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later timestamptz;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    RETURN QUERY SELECT h.series_id, h.hour, h.n, h.good, h.low, h.high, h.total, h.first, h.last, h.used, h.marks
      FROM rollup_hour h
      WHERE h.series_id = one AND h.hour >= since AND h.hour < until AND h.hour > later ORDER BY h.hour LIMIT wanted;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

CREATE FUNCTION days_of(ids int[], since date, until date, after date, most int, services text[], zones int[])
RETURNS TABLE (series_id int, start date, n int, good int, low float8, high float8, total float8, first float8,
  last float8, used float8, marks int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later date;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    RETURN QUERY SELECT d.series_id, d.day, d.n, d.good, d.low, d.high, d.total, d.first, d.last, d.used, d.marks
      FROM rollup_day d
      WHERE d.series_id = one AND d.day >= since AND d.day < until AND d.day > later ORDER BY d.day LIMIT wanted;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

-- How many readings, and days with any, series of a place have in local days by their roll-ups; ids NULL = all of the place.
CREATE FUNCTION rows_counted(place int, ids int[], quantities text[], since date, until date, services text[], zones int[])
RETURNS TABLE (readings bigint, days bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce(sum(d.n), 0)::bigint, count(*) FROM series_within(place, quantities, services, zones) AS p
  JOIN rollup_day d ON d.series_id = p WHERE (ids IS NULL OR p = ANY(ids)) AND d.day >= since AND d.day < until $$;

-- Every version of corrected readings; 0 is what was received.
CREATE FUNCTION versions_of(ids int[], since timestamptz, until timestamptz, most int, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, version int, value float8, quality int2, who text, at timestamptz,
  why text, codec_version text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH edits AS (
    SELECT e.* FROM series_permitted(ids, services, zones) AS p JOIN reading_edit e ON e.series_id = p
    WHERE e.time >= since AND e.time < until)
  SELECT series_id, time, version, value, quality, who, at, why, codec_version FROM edits
  UNION ALL
  SELECT r.series_id, r.time, 0, r.value, r.quality, '', r.received, '', NULL
  FROM (SELECT DISTINCT series_id, time FROM edits) e CROSS JOIN LATERAL (
    SELECT * FROM reading r WHERE r.series_id = e.series_id AND r.time = e.time LIMIT 1) r
  ORDER BY series_id, time, version LIMIT most $$;

-- What series of a place say together, by local days. mean: each series counts alike; used: of how many registers, whole: of
-- how many for the whole day.
CREATE FUNCTION day_totals(place int, quantities text[], since date, until date, services text[], zones int[])
RETURNS TABLE (start date, series int, low float8, high float8, mean float8, used float8, registers int, whole int, marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT d.day, count(*) FILTER (WHERE d.n > 0)::int, min(d.low), max(d.high), avg(d.total / nullif(d.good, 0)), sum(d.used),
    count(d.used)::int, count(d.used) FILTER (WHERE d.marks & 2 = 0)::int, bit_or(d.marks)
  FROM series_within(place, quantities, services, zones) AS p JOIN rollup_day d ON d.series_id = p
  WHERE d.day >= since AND d.day < until GROUP BY d.day ORDER BY d.day $$;

CREATE FUNCTION hour_totals(place int, quantities text[], since timestamptz, until timestamptz, services text[], zones int[])
RETURNS TABLE (start timestamptz, series int, low float8, high float8, mean float8, used float8, registers int, whole int,
  marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT h.hour, count(*) FILTER (WHERE h.n > 0)::int, min(h.low), max(h.high), avg(h.total / nullif(h.good, 0)), sum(h.used),
    count(h.used)::int, count(h.used) FILTER (WHERE h.marks & 2 = 0)::int, bit_or(h.marks)
  FROM series_within(place, quantities, services, zones) AS p JOIN rollup_hour h ON h.series_id = p
  WHERE h.hour >= since AND h.hour < until GROUP BY h.hour ORDER BY h.hour $$;

-- Months that begin on a day of theirs; a register without a figure for each day of them is there in part (2).
CREATE FUNCTION month_totals(place int, quantities text[], since date, until date, begins int, services text[], zones int[])
RETURNS TABLE (start date, series int, low float8, high float8, mean float8, used float8, registers int, whole int, marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH days AS (
    SELECT d.*, (date_trunc('month', d.day - begins + 1) + make_interval(days => begins - 1))::date AS start
    FROM series_within(place, quantities, services, zones) AS p JOIN rollup_day d ON d.series_id = p
    WHERE d.day >= since AND d.day < until),
  months AS (
    SELECT start, sum(n) AS n, min(low) AS low, max(high) AS high, sum(total) / nullif(sum(good), 0) AS mean, sum(used) AS used,
      (bit_or(marks) | CASE WHEN count(used) > 0 AND count(used) < (start + interval '1 month')::date - start THEN 2 ELSE 0 END)::int2
        AS marks
    FROM days GROUP BY series_id, start)
  SELECT start, count(*) FILTER (WHERE n > 0)::int, min(low), max(high), avg(mean), sum(used), count(used)::int,
    count(used) FILTER (WHERE marks & 2 = 0)::int, bit_or(marks)
  FROM months GROUP BY start ORDER BY start $$;

-- When a place was first heard since a moment.
CREATE FUNCTION first_heard(place int, since timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT min(r.received) FROM series x CROSS JOIN LATERAL (
    SELECT received FROM reading WHERE series_id = x.series_id AND time >= since ORDER BY time LIMIT 1) r
  WHERE x.object_id = place $$;

-- How many corrections somebody's request has made.
CREATE FUNCTION edits_made(since timestamptz, reason text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT count(*) FROM reading_edit WHERE at >= since AND why = reason $$;

REVOKE SELECT ON reading, reading_edit, reading_newest, rollup_hour, rollup_day, rollup_month FROM citynet_center;
REVOKE ALL ON FUNCTION readings_of(int[], timestamptz, timestamptz, timestamptz, int, timestamptz, text[], int[]),
  hours_of(int[], timestamptz, timestamptz, timestamptz, int, text[], int[]),
  days_of(int[], date, date, date, int, text[], int[]),
  rows_counted(int, int[], text[], date, date, text[], int[]),
  versions_of(int[], timestamptz, timestamptz, int, text[], int[]),
  day_totals(int, text[], date, date, text[], int[]),
  hour_totals(int, text[], timestamptz, timestamptz, text[], int[]),
  month_totals(int, text[], date, date, int, text[], int[]),
  first_heard(int, timestamptz),
  edits_made(timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings_of(int[], timestamptz, timestamptz, timestamptz, int, timestamptz, text[], int[]),
  hours_of(int[], timestamptz, timestamptz, timestamptz, int, text[], int[]),
  days_of(int[], date, date, date, int, text[], int[]),
  rows_counted(int, int[], text[], date, date, text[], int[]),
  versions_of(int[], timestamptz, timestamptz, int, text[], int[]),
  day_totals(int, text[], date, date, text[], int[]),
  hour_totals(int, text[], timestamptz, timestamptz, text[], int[]),
  month_totals(int, text[], date, date, int, text[], int[]),
  first_heard(int, timestamptz),
  edits_made(timestamptz, text) TO citynet_center;
