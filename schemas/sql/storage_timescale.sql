-- TimescaleDB storage of readings: one hypertable with columnstore; partitions make themselves.
CREATE EXTENSION IF NOT EXISTS timescaledb;
DROP VIEW reading_newest;
DROP TABLE reading;
CREATE TABLE reading (
  series_id int NOT NULL, time timestamptz NOT NULL, received timestamptz NOT NULL,
  value float8 NOT NULL CHECK (value > '-infinity' AND value < 'infinity'),
  quality int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, time))
  WITH (tsdb.hypertable, tsdb.partition_column = 'time', tsdb.chunk_interval = '7 days',
        tsdb.segmentby = 'series_id', tsdb.orderby = 'time');
CREATE INDEX reading_when ON reading USING brin ("time", received) WITH (pages_per_range = 32, autosummarize = on);
CREATE VIEW reading_newest AS
  SELECT r.series_id, r.time, r.received, coalesce(e.value, r.value) AS value,
         CASE WHEN e.quality IS NULL THEN r.quality ELSE (r.quality & 56::int2 | e.quality)::int2 END AS quality
  FROM reading r LEFT JOIN LATERAL (
    SELECT value, quality FROM reading_edit e WHERE e.series_id = r.series_id AND e.time = r.time
    ORDER BY version DESC LIMIT 1) e ON true;
GRANT SELECT, INSERT, UPDATE ON reading TO citynet_ingest;
GRANT SELECT ON reading, reading_newest TO citynet_analytics;
GRANT SELECT ON reading_newest TO citynet_ingest;
-- Same name as in native storage, so that ingest need not know: chunks are made by the extension.
CREATE FUNCTION reading_partition_ensure(moment timestamptz) RETURNS bool
LANGUAGE plpgsql AS $$
BEGIN
  IF moment < '2000-01-01Z' OR moment > '2100-01-01Z' THEN
    RAISE EXCEPTION 'reading time % is outside 2000..2100', moment USING ERRCODE = '22008';
  END IF;
  RETURN false;
END $$;
REVOKE ALL ON FUNCTION reading_partition_ensure(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reading_partition_ensure(timestamptz) TO citynet_ingest;
-- Chunks of readings, the times that they hold, their bytes.
CREATE FUNCTION reading_parts() RETURNS TABLE (name text, since timestamptz, until timestamptz, bytes bigint)
LANGUAGE sql STABLE AS $$
  SELECT c.chunk_name::text, c.range_start, c.range_end, d.total_bytes
  FROM timescaledb_information.chunks c JOIN chunks_detailed_size('reading') d USING (chunk_schema, chunk_name)
  WHERE c.hypertable_name = 'reading' $$;
-- Drops one whose time is over; false while an hour of it is not rolled up. Waits for no reader longer than lock_timeout.
CREATE FUNCTION reading_drop(part text, before timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
  old record;
BEGIN
  SELECT * INTO old FROM public.reading_parts() WHERE name = part AND until <= before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'readings have no part % that ends by %', part, before USING ERRCODE = '22023';
  END IF;
  -- From here on nobody stores a reading, so nobody marks an hour.
  LOCK TABLE ONLY public.reading IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM public.rollup_due WHERE hour >= old.since AND hour < old.until) THEN RETURN false; END IF;
  PERFORM public.drop_chunks('public.reading', older_than => old.until, newer_than => old.since);
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION reading_parts(), reading_drop(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reading_parts(), reading_drop(text, timestamptz) TO citynet_ingest;
