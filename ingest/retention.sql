-- Queries of retention, by name. before: what ends by then has had its time.
-- parts_readings: whole partitions or chunks whose time is over, the oldest first; held: an hour of it waits to be rolled up
SELECT p.*, EXISTS (SELECT FROM rollup_due WHERE hour >= p.since AND hour < p.until) AS held
FROM reading_parts() p WHERE p.until <= %(before)s ORDER BY p.until

-- parts_hours: the same of hourly roll-ups
SELECT p.*, EXISTS (SELECT FROM rollup_due WHERE hour >= p.since AND hour < p.until) AS held
FROM rollup_hour_parts() p WHERE p.until <= %(before)s ORDER BY p.until

-- drop_readings: false when a reading came into it meanwhile
SELECT reading_drop(%(name)s, %(before)s) AS gone

-- drop_hours: the same of hourly roll-ups
SELECT rollup_hour_drop(%(name)s, %(before)s) AS gone

-- count_days: rows whose time is over
SELECT count(*) AS n FROM rollup_day WHERE day < %(before)s::date

-- count_events: see drop_events
SELECT count(*) AS n FROM event WHERE time < %(before)s

-- count_quarantine: see drop_quarantine
SELECT count(*) AS n FROM quarantine WHERE at < %(before)s

-- drop_days: some of the rows whose time is over
DELETE FROM rollup_day WHERE ctid = ANY (ARRAY(SELECT ctid FROM rollup_day WHERE day < %(before)s::date LIMIT %(limit)s))

-- drop_events: the event that an open condition shows stays
DELETE FROM event WHERE event_id IN (
  SELECT e.event_id FROM event e WHERE e.time < %(before)s AND NOT EXISTS (
    SELECT FROM condition c WHERE c.state = 'active' AND c.event_id = e.event_id) LIMIT %(limit)s)

-- drop_quarantine: some of the rows whose time is over
DELETE FROM quarantine WHERE quarantine_id IN (
  SELECT quarantine_id FROM quarantine WHERE at < %(before)s ORDER BY at LIMIT %(limit)s)

-- state_readings: how far they reach back, and their bytes
SELECT min(since) AS oldest, coalesce(sum(bytes), 0)::int8 AS bytes FROM reading_parts()

-- state_hours: the same of hourly roll-ups
SELECT min(since) AS oldest, coalesce(sum(bytes), 0)::int8 AS bytes FROM rollup_hour_parts()

-- state_days: the same of daily roll-ups
SELECT min(day)::timestamptz AS oldest, pg_total_relation_size('rollup_day') AS bytes FROM rollup_day

-- state_events: the same of events
SELECT min(time) AS oldest, pg_total_relation_size('event') AS bytes FROM event

-- state_quarantine: the same of quarantine
SELECT min(at) AS oldest, pg_total_relation_size('quarantine') AS bytes FROM quarantine

-- put_state: what the pipeline page shows
INSERT INTO retention (class, days, oldest, bytes, looked) VALUES (%(class)s, %(days)s, %(oldest)s, %(bytes)s, now())
ON CONFLICT (class) DO UPDATE SET (days, oldest, bytes, looked) = (excluded.days, excluded.oldest, excluded.bytes, now())

-- put_kept: what is older than this has gone, and does not come back
INSERT INTO retention (class, days, kept_from, bytes) VALUES (%(class)s, %(days)s, %(until)s, 0)
ON CONFLICT (class) DO UPDATE SET kept_from = greatest(retention.kept_from, excluded.kept_from)

-- audit: who dropped what, in the transaction that does it
INSERT INTO audit (actor, action, object, detail) VALUES (%(actor)s, 'retention.drop', %(object)s, %(detail)s)

-- lock_retention: one process of ingest at a time
SELECT pg_try_advisory_lock(hashtext('citynet:retention')) AS mine
