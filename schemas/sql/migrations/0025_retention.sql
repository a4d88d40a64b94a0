-- How long each class of data is kept (days, 0 = for ever), what is older has gone; written by ingest when it looks.
CREATE TABLE retention (
  class text PRIMARY KEY, days int NOT NULL, kept_from timestamptz, oldest timestamptz, bytes bigint NOT NULL,
  looked timestamptz NOT NULL DEFAULT now());
CREATE FUNCTION rollup_hour_parts() RETURNS TABLE (name text, since timestamptz, until timestamptz, bytes bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT c.relname::text, m.month AT TIME ZONE 'UTC', (m.month + interval '1 month') AT TIME ZONE 'UTC',
    pg_total_relation_size(c.oid)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL (SELECT to_date(right(c.relname, 6) || '01', 'YYYYMMDD')::timestamp AS month) m
  WHERE i.inhparent = 'rollup_hour'::regclass $$;
CREATE FUNCTION rollup_hour_drop(part text, before timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  old record;
BEGIN
  SELECT * INTO old FROM rollup_hour_parts() WHERE name = part AND until <= before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'hours have no part % that ends by %', part, before USING ERRCODE = '22023';
  END IF;
  LOCK TABLE ONLY rollup_hour IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM rollup_due WHERE hour >= old.since AND hour < old.until) THEN RETURN false; END IF;
  EXECUTE format('DROP TABLE %I', old.name);
  RETURN true;
END $$;
CREATE INDEX event_time ON event USING brin (time);
DO $storage$ BEGIN
IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN EXECUTE $timescale$
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
$timescale$;
ELSE EXECUTE $native$
-- Partitions of readings, the times that they hold, their bytes.
CREATE FUNCTION reading_parts() RETURNS TABLE (name text, since timestamptz, until timestamptz, bytes bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT c.relname::text, m.monday AT TIME ZONE 'UTC', (m.monday + interval '7 days') AT TIME ZONE 'UTC',
    pg_total_relation_size(c.oid)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL (SELECT to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AS monday) m
  WHERE i.inhparent = 'reading'::regclass $$;
-- Drops one whose time is over; false while an hour of it is not rolled up. Waits for no reader longer than lock_timeout.
CREATE FUNCTION reading_drop(part text, before timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  old record;
BEGIN
  SELECT * INTO old FROM reading_parts() WHERE name = part AND until <= before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'readings have no part % that ends by %', part, before USING ERRCODE = '22023';
  END IF;
  -- From here on nobody stores a reading, so nobody marks an hour.
  LOCK TABLE ONLY reading IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM rollup_due WHERE hour >= old.since AND hour < old.until) THEN RETURN false; END IF;
  EXECUTE format('DROP TABLE %I', old.name);
  RETURN true;
END $$;
$native$;
END IF;
END $storage$;
REVOKE ALL ON FUNCTION reading_parts(), reading_drop(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reading_parts(), reading_drop(text, timestamptz) TO citynet_ingest;
REVOKE ALL ON FUNCTION rollup_hour_parts(), rollup_hour_drop(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_hour_parts(), rollup_hour_drop(text, timestamptz) TO citynet_ingest;
GRANT SELECT, INSERT, UPDATE ON retention TO citynet_ingest;
GRANT SELECT ON retention TO citynet_center;
GRANT DELETE ON quarantine, event, rollup_day TO citynet_ingest;
GRANT INSERT ON audit TO citynet_ingest;
