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
