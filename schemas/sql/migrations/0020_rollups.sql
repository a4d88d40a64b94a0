-- What readings say by the hour and by the local day of the city. good: readings that are not out of range, of which the
-- figures are; used: consumption by a register with the bits of Used; a day adds up its hours.
CREATE TABLE rollup_hour (
  series_id int NOT NULL, hour timestamptz NOT NULL, n int NOT NULL, good int NOT NULL,
  low float8, high float8, total float8, first float8, last float8, last_at timestamptz,
  used float8, marks int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, hour)) PARTITION BY RANGE (hour);
CREATE TABLE rollup_day (
  series_id int NOT NULL, day date NOT NULL, n int NOT NULL, good int NOT NULL,
  low float8, high float8, total float8, first float8, last float8, last_at timestamptz,
  used float8, marks int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, day));
CREATE VIEW rollup_month AS
  SELECT series_id, date_trunc('month', day)::date AS month, sum(n)::int AS n, sum(good)::int AS good, min(low) AS low,
    max(high) AS high, sum(total) AS total, (array_agg(first ORDER BY day) FILTER (WHERE first IS NOT NULL))[1] AS first,
    (array_agg(last ORDER BY day DESC) FILTER (WHERE last IS NOT NULL))[1] AS last, max(last_at) AS last_at,
    sum(used) AS used, bit_or(marks) AS marks
  FROM rollup_day GROUP BY series_id, date_trunc('month', day);
-- Hours with readings that are not rolled up yet, by blocks of 256 series; written with the readings, some more than once.
CREATE TABLE rollup_due (block int NOT NULL, hour timestamptz NOT NULL);
CREATE INDEX rollup_due_hour ON rollup_due (block, hour);
CREATE FUNCTION rollup_partition_ensure(moment timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
  name text := 'rollup_hour_' || to_char(month, 'YYYYMM');
BEGIN
  IF moment < '2000-01-01Z' OR moment > '2100-01-01Z' THEN
    RAISE EXCEPTION 'time % is outside 2000..2100', moment USING ERRCODE = '22008';
  END IF;
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('rollup_partition_ensure'));
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF rollup_hour FOR VALUES FROM (%L) TO (%L)',
    name, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION rollup_partition_ensure(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_partition_ensure(timestamptz) TO citynet_ingest;
GRANT SELECT, INSERT, UPDATE ON rollup_hour, rollup_day TO citynet_ingest;
GRANT SELECT, INSERT, DELETE ON rollup_due TO citynet_ingest;
GRANT SELECT ON rollup_due TO citynet_center;
GRANT SELECT ON reading_newest TO citynet_ingest;
GRANT SELECT ON rollup_hour, rollup_day, rollup_month TO citynet_analytics, citynet_center, citynet_ingest;
-- What was stored before is rolled up too.
INSERT INTO rollup_due (block, hour)
  SELECT DISTINCT series_id / 256, date_bin('1 hour', time, '2000-01-01Z') FROM reading;
