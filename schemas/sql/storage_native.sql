-- Native storage of readings: weekly range partitions, made ahead of the rows by ingest.
-- The week starts on Monday 00:00 UTC; the name is the date of that Monday.
CREATE FUNCTION reading_partition_ensure(moment timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  monday timestamp := date_trunc('week', moment AT TIME ZONE 'UTC');
  name text := 'reading_' || to_char(monday, 'YYYYMMDD');
BEGIN
  IF moment < '2000-01-01Z' OR moment > '2100-01-01Z' THEN
    RAISE EXCEPTION 'reading time % is outside 2000..2100', moment USING ERRCODE = '22008';
  END IF;
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  -- Two writers at the first reading of a week: the second waits here until the first has committed.
  PERFORM pg_advisory_xact_lock(hashtext('reading_partition_ensure'));
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF reading FOR VALUES FROM (%L) TO (%L)',
    name, monday AT TIME ZONE 'UTC', (monday + interval '7 days') AT TIME ZONE 'UTC');
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION reading_partition_ensure(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reading_partition_ensure(timestamptz) TO citynet_ingest;
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
REVOKE ALL ON FUNCTION reading_parts(), reading_drop(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reading_parts(), reading_drop(text, timestamptz) TO citynet_ingest;
