-- Newest readings of all series as they stood each five minutes, in blocks of 256 series; taken: city time of the snapshot.
CREATE TABLE newest_snapshot (
  at timestamptz NOT NULL, block int NOT NULL, taken timestamptz NOT NULL, series int[] NOT NULL,
  "time" timestamptz[] NOT NULL, value float8[] NOT NULL, quality int2[] NOT NULL, PRIMARY KEY (at, block));

-- What was read in a few minutes, of whatever series: rows lie in the order in which they came.
CREATE INDEX reading_when ON reading USING brin ("time", received) WITH (pages_per_range = 32, autosummarize = on);

-- Newest readings at a moment, as they were received until another (city): one snapshot and what was read from then on.
-- What came later than the snapshot for a time before it counts too, up to a week of lateness; a quarter of an hour is
-- what a reading may need from its arrival to the database. Few series are looked up one by one, and so is everything
-- from before the first snapshot.
CREATE FUNCTION readings_at(ids int[], moment timestamptz, known timestamptz)
RETURNS TABLE (series_id int, "time" timestamptz, value float8, quality int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  base timestamptz;
BEGIN
  IF ids IS NULL OR cardinality(ids) > 200 THEN
    SELECT s.at INTO base FROM newest_snapshot s WHERE s.at <= moment AND s.taken <= known ORDER BY s.at DESC LIMIT 1;
  END IF;
  IF base IS NULL THEN
    RETURN QUERY SELECT s.series_id, r.time, r.value, r.quality FROM series s CROSS JOIN LATERAL (
        SELECT r.time, r.value, r.quality FROM reading r
        WHERE r.series_id = s.series_id AND r.time <= moment AND r.received <= known ORDER BY r.time DESC LIMIT 1) r
      WHERE ids IS NULL OR s.series_id = ANY(ids);
    RETURN;
  END IF;
  RETURN QUERY WITH snapshot AS MATERIALIZED (
      SELECT u.* FROM newest_snapshot s CROSS JOIN LATERAL unnest(s.series, s.time, s.value, s.quality)
        AS u (series_id, time, value, quality) WHERE s.at = base),
    later AS (
      SELECT DISTINCT ON (r.series_id) r.series_id, r.time, r.value, r.quality FROM (
        SELECT r.series_id, r.time, r.value, r.quality FROM reading r
        WHERE r.time > base AND r.time <= moment AND r.received <= known
        UNION ALL
        SELECT r.series_id, r.time, r.value, r.quality FROM reading r
        WHERE r.time > base - interval '7 days' AND r.time <= base AND r.received > base - interval '15 minutes'
          AND r.received <= known) r
      LEFT JOIN snapshot s USING (series_id) WHERE s.time IS NULL OR r.time > s.time
      ORDER BY r.series_id, r.time DESC)
    SELECT series_id, coalesce(l.time, s.time), coalesce(l.value, s.value), coalesce(l.quality, s.quality)
    FROM snapshot s FULL JOIN later l USING (series_id);
END $$;

-- The same with corrections, for whoever asks. known: wall time, as of the registry; corrections until then count.
CREATE FUNCTION newest_at(ids int[], moment timestamptz, known timestamptz, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, value float8, quality int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p, a.time, coalesce(e.value, a.value),
    CASE WHEN e.quality IS NULL THEN a.quality ELSE (a.quality & 56::int2 | e.quality)::int2 END
  FROM series_permitted(ids, services, zones) AS p
  JOIN readings_at(ids, moment, CASE WHEN known = 'infinity' THEN known
    ELSE coalesce((SELECT origin + (known - wall_origin) * speed FROM city_clock), known) END) a ON a.series_id = p
  LEFT JOIN LATERAL (
    SELECT e.value, e.quality FROM reading_edit e WHERE e.series_id = p AND e.time = a.time AND e.at <= known
    ORDER BY e.version DESC LIMIT 1) e ON true $$;

REVOKE ALL ON FUNCTION readings_at(int[], timestamptz, timestamptz), newest_at(int[], timestamptz, timestamptz, text[], int[])
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings_at(int[], timestamptz, timestamptz) TO citynet_ingest;
GRANT EXECUTE ON FUNCTION newest_at(int[], timestamptz, timestamptz, text[], int[]) TO citynet_center;
GRANT SELECT, INSERT, DELETE ON newest_snapshot TO citynet_ingest;
