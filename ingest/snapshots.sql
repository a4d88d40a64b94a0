-- Snapshots of newest values, by name.
-- lock_snapshots: one process takes them; false while another one does
SELECT pg_try_advisory_lock(hashtext('citynet:snapshots')) AS mine

-- last: the newest snapshot
SELECT max(at) AS at FROM newest_snapshot

-- take: all series as they stood at a moment, from the snapshot before and what was read since
INSERT INTO newest_snapshot (at, block, taken, series, time, value, quality)
SELECT %(at)s, series_id / 256, %(taken)s, array_agg(series_id ORDER BY series_id), array_agg(time ORDER BY series_id),
  array_agg(value ORDER BY series_id), array_agg(quality ORDER BY series_id)
FROM readings_at(NULL, %(at)s, 'infinity') GROUP BY series_id / 256
ON CONFLICT DO NOTHING

-- thin: whole hours stay longer than what lies between them
DELETE FROM newest_snapshot WHERE at < %(oldest)s OR at < %(fine)s AND extract(minute FROM at) <> 0
