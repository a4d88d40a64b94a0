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
