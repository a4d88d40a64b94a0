-- Queries of ingest, by name. Parameters are named; columns come as arrays (ingest/pgbinary.py).
-- ensure_partitions: the partitions of all weeks in a batch; true where one was made
SELECT reading_partition_ensure(week) AS made FROM unnest(%(weeks)s) AS w (week)

-- copy_readings: the fast way, fails on the first key that is there already
COPY reading (series_id, time, received, value, quality) FROM STDIN (FORMAT BINARY)

-- stage_table: where a batch waits that may hold known keys; without indexes and checks
CREATE TEMP TABLE IF NOT EXISTS reading_stage (LIKE reading) ON COMMIT DELETE ROWS

-- stage_clear: a second attempt in one transaction starts empty
TRUNCATE reading_stage

-- stage_copy: fill the stage
COPY reading_stage (series_id, time, received, value, quality) FROM STDIN (FORMAT BINARY)

-- stage_insert: what is new; the row count tells how much
INSERT INTO reading SELECT * FROM reading_stage ON CONFLICT (series_id, time) DO NOTHING

-- stage_conflicts: keys that are stored with another value; LIMIT keeps it an index probe a row, whatever the statistics
SELECT s.series_id, s.time, r.value
FROM reading_stage s
CROSS JOIN LATERAL (SELECT value FROM reading r WHERE r.series_id = s.series_id AND r.time = s.time LIMIT 1) r
WHERE r.value <> s.value ORDER BY s.series_id, s.time

-- lock_edits: versions of corrections are counted by one writer at a time
SELECT pg_advisory_xact_lock(hashtext('citynet:reading_edit'))

-- insert_missing: what the codec of now says and the one before did not, or its frame was set aside
INSERT INTO reading (series_id, time, received, value, quality)
SELECT * FROM unnest(%(series)s, %(time)s, %(received)s, %(value)s, %(quality)s)
ON CONFLICT (series_id, time) DO NOTHING RETURNING series_id

-- insert_edits: a new version where the newest value is another one, or equal but no longer (or newly) out of range
-- (bit 4); what a person has corrected stays
INSERT INTO reading_edit (series_id, time, version, value, quality, who, why, codec_version)
SELECT x.series_id, x.time, coalesce(e.version, 0) + 1, x.value, x.quality, %(who)s, %(why)s, %(codec)s
FROM unnest(%(series)s, %(time)s, %(value)s, %(quality)s) AS x (series_id, time, value, quality)
CROSS JOIN LATERAL (
  SELECT value, quality FROM reading r WHERE r.series_id = x.series_id AND r.time = x.time LIMIT 1) r
LEFT JOIN LATERAL (
  SELECT version, value, quality, codec_version FROM reading_edit e WHERE e.series_id = x.series_id AND e.time = x.time
  ORDER BY version DESC LIMIT 1) e ON true
WHERE (coalesce(e.value, r.value) <> x.value OR (coalesce(e.quality, r.quality) # x.quality) & 4::int2 <> 0)
  AND (e.version IS NULL OR e.codec_version IS NOT NULL)
RETURNING series_id, time, value, quality

-- correct_newest: the newest value of a series is one that has just been corrected; quality as in reading_newest
UPDATE newest n SET value = e.value, quality = (n.quality & 56::int2 | e.quality)::int2,
  change = nextval('newest_change')
FROM unnest(%(series)s::int[], %(time)s::timestamptz[], %(value)s::float8[], %(quality)s::int2[])
  AS e (series_id, time, value, quality)
WHERE n.series_id = e.series_id AND n.time = e.time
RETURNING n.series_id, n.time, n.value, n.change

-- upsert_newest: newer values win, equal and older ones touch nothing; gives the change number of each changed series
WITH changed AS (
  INSERT INTO newest AS n (series_id, time, received, value, quality, change)
  SELECT x.series_id, x.time, x.received, x.value, x.quality, nextval('newest_change')
  FROM unnest(%(series)s, %(time)s, %(received)s, %(value)s, %(quality)s)
    AS x (series_id, time, received, value, quality)
  WHERE NOT EXISTS (SELECT FROM newest o WHERE o.series_id = x.series_id AND o.time >= x.time)
  ON CONFLICT (series_id) DO UPDATE SET time = excluded.time, received = excluded.received, value = excluded.value,
    quality = excluded.quality, change = nextval('newest_change')
  WHERE excluded.time > n.time
  RETURNING n.series_id, n.change)
SELECT coalesce(array_agg(series_id), '{}') AS series, coalesce(array_agg(change), '{}') AS change FROM changed

-- commands_touched: commands whose expected effect may be among readings of these series and times
SELECT DISTINCT command_id FROM expectation
WHERE late_until >= %(oldest)s AND since <= %(newest)s AND series_id = ANY(%(series)s)

-- lock_table: first, so that whoever makes a new partition of readings never waits for one who waits for it
LOCK TABLE ONLY reading IN ACCESS SHARE MODE

-- lock_commands: readings and receipts of a command are stored by two lanes; the second to come here sees the first
SELECT pg_advisory_xact_lock(key) FROM (
  SELECT hashtextextended('command:' || id, 0) AS key FROM unnest(%(ids)s::uuid[]) AS i (id) ORDER BY 1) AS k

-- confirm_commands: readback receipts of commands whose every expected effect was read after they had left.
-- After its time an effect counts only if the device has answered as well: somebody else may have caused it.
WITH known AS (
  SELECT command_id, min(time) FILTER (WHERE kind IN ('sent', 'queued', 'radiated', 'acknowledged')) AS left_at,
    min(time) FILTER (WHERE kind = 'acknowledged') AS answered
  FROM receipt WHERE command_id = ANY(%(ids)s) GROUP BY command_id
  HAVING bool_or(kind IN ('sent', 'queued', 'radiated', 'acknowledged')) AND NOT bool_or(kind = 'readback')),
seen AS (
  SELECT e.command_id, r.time
  FROM known k JOIN expectation e USING (command_id)
  LEFT JOIN LATERAL (
    SELECT time FROM reading r
    WHERE r.series_id = e.series_id AND r.received >= k.left_at
      AND r.time >= date_trunc('second', k.left_at)  -- many devices know whole seconds only
      AND r.time <= CASE WHEN k.answered IS NULL THEN e.until ELSE e.late_until END AND CASE e.compare
      WHEN 'eq' THEN abs(r.value - e.target) <= e.tolerance
      WHEN 'le' THEN r.value <= e.target + e.tolerance
      ELSE r.value >= e.target - e.tolerance END
    ORDER BY r.time LIMIT 1) r ON true)
INSERT INTO receipt (command_id, kind, time)
SELECT command_id, 'readback', max(time) FROM seen GROUP BY command_id HAVING count(time) = count(*)
ON CONFLICT DO NOTHING RETURNING command_id

-- insert_quarantine: one row that could not be used; the same notice again changes nothing
INSERT INTO quarantine (stage, reason, detail, subject, external_id, stream, stream_seq, payload, arrived, replay_of)
VALUES (%(stage)s, %(reason)s, %(detail)s, %(subject)s, %(external_id)s, %(stream)s, %(stream_seq)s, %(payload)s,
  %(arrived)s, %(replay_of)s)
ON CONFLICT DO NOTHING RETURNING quarantine_id

-- choose_frames: rows that a request names and nobody has sent up again, in the order in which they were stored
SELECT quarantine_id, reason, subject, stream, stream_seq, payload, coalesce(arrived, at) AS arrived
FROM quarantine
WHERE replayed IS NULL AND stage = 'gateway' AND stream IN ('UPLINKS', 'HISTORY') AND quarantine_id > %(after)s
  AND at <= %(until)s AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(ids)s::bigint[] = '{}' OR quarantine_id = ANY(%(ids)s))
  AND (%(external_id)s = '' OR external_id = %(external_id)s) AND (%(reason)s = '' OR reason = %(reason)s)
  AND (NOT %(only_first)s OR replay_of IS NULL)
ORDER BY quarantine_id LIMIT %(limit)s FOR UPDATE

-- mark_replayed: all rows of the frames that went up again
UPDATE quarantine q SET replayed = now(), replayed_by = %(who)s
FROM unnest(%(streams)s::text[], %(seqs)s::bigint[]) AS f (stream, seq)
WHERE q.stream = f.stream AND q.stream_seq = f.seq AND q.stage = 'gateway' AND q.replayed IS NULL
RETURNING quarantine_id

-- insert_block: raw frames as they came, compressed
INSERT INTO frame_block (stream, first_at, last_at, last_seq, frames, raw_bytes, body, devices, stored)
VALUES (%(stream)s, %(first_at)s, %(last_at)s, %(last_seq)s, %(frames)s, %(raw_bytes)s, %(body)s, %(devices)s, %(stored)s)

-- newest_block: where a stream is archived up to, for frames whose acknowledgement was lost
SELECT last_at, last_seq FROM frame_block WHERE stream = %(stream)s ORDER BY last_at DESC, block_id DESC LIMIT 1

-- trim_old: what is older than the archive keeps
DELETE FROM frame_block WHERE last_at < now() - make_interval(days => %(days)s)

-- trim_large: the oldest of what takes more room than the archive has
DELETE FROM frame_block WHERE block_id IN (
  SELECT block_id FROM (
    SELECT block_id, sum(stored) OVER (ORDER BY last_at DESC, block_id DESC) AS bytes FROM frame_block) b
  WHERE bytes > %(bytes)s)

-- told: the object of events about the system itself, and whether one of a rule is open
SELECT o.object_id, EXISTS (
  SELECT FROM condition c WHERE c.object_id = o.object_id AND c.rule_id = %(rule)s AND c.state = 'active') AS told
FROM object o WHERE o.key = %(key)s

-- lock_told: one process at a time says it
SELECT pg_advisory_xact_lock(hashtext('citynet:told'))

-- size_blocks: bytes of all blocks, and how far they reach back
SELECT coalesce(sum(stored), 0)::int8 AS bytes, coalesce(sum(frames), 0)::int8 AS frames,
  extract(epoch FROM now() - min(last_at))::float8 AS back_s FROM frame_block

-- lock_archive: one process archives; false while another one does
SELECT pg_try_advisory_lock(hashtext('citynet:archive')) AS mine

-- insert_receipt: what became of a command, once
INSERT INTO receipt (command_id, kind, time, detail)
VALUES (%(command_id)s, %(kind)s, %(time)s, %(detail)s)
ON CONFLICT DO NOTHING RETURNING command_id

-- lock_conditions: nobody else folds into these conditions until we commit; in key order, so that nobody deadlocks
SELECT pg_advisory_xact_lock(key) FROM unnest(%(keys)s::int8[]) AS k (key)

-- fold_trigger: store an open or again edge and, only if it is new, count it in its condition.
-- A late one belongs to the period that had already returned by then; else to the open one, which it may begin.
WITH fresh AS (
  INSERT INTO event (event_id, rule_id, rule_version, object_id, signal, series_id, edge, severity, time,
    value, low, high, score, why_ru, why_en)
  VALUES (%(event_id)s, %(rule_id)s, %(rule_version)s, %(object_id)s, %(signal)s, %(series_id)s, %(edge)s,
    %(severity)s, %(time)s, %(value)s, %(low)s, %(high)s, %(score)s, %(why_ru)s, %(why_en)s)
  ON CONFLICT (event_id) DO NOTHING RETURNING *),
late AS (
  UPDATE condition c SET count = c.count + 1, opened = least(c.opened, f.time),
    first_seen = least(c.first_seen, f.time), last_seen = greatest(c.last_seen, f.time),
    peak = CASE WHEN f.value < f.low THEN least(c.peak, f.value) ELSE greatest(c.peak, f.value) END,
    change = nextval('condition_change')
  FROM fresh f
  WHERE c.condition_id = (
    SELECT p.condition_id FROM condition p
    WHERE p.rule_id = %(rule_id)s AND p.object_id = %(object_id)s AND p.signal = %(signal)s
      AND p.state = 'returned' AND p.returned >= %(time)s
    ORDER BY p.returned LIMIT 1)
  RETURNING c.condition_id),
folded AS (
  INSERT INTO condition AS c (rule_id, rule_version, object_id, signal, series_id, severity, state, opened,
    first_seen, last_seen, value, peak, low, high, score, why_ru, why_en, event_id, change)
  SELECT rule_id, rule_version, object_id, signal, series_id, severity, 'active', time,
    time, time, value, value, low, high, score, why_ru, why_en, event_id, nextval('condition_change')
  FROM fresh WHERE NOT EXISTS (SELECT FROM late)
  ON CONFLICT (rule_id, object_id, signal) WHERE state = 'active' DO UPDATE SET
    count = c.count + 1, opened = least(c.opened, excluded.opened),
    first_seen = least(c.first_seen, excluded.first_seen), last_seen = greatest(c.last_seen, excluded.last_seen),
    peak = CASE WHEN excluded.value < excluded.low THEN least(c.peak, excluded.value)
                ELSE greatest(c.peak, excluded.value) END,
    change = nextval('condition_change'),
    (rule_version, severity, value, low, high, score, why_ru, why_en) = (
      SELECT excluded.rule_version, excluded.severity, excluded.value, excluded.low, excluded.high, excluded.score,
        excluded.why_ru, excluded.why_en WHERE excluded.last_seen >= c.last_seen
      UNION ALL
      SELECT c.rule_version, c.severity, c.value, c.low, c.high, c.score, c.why_ru, c.why_en
      WHERE excluded.last_seen < c.last_seen)
  RETURNING c.condition_id)
SELECT event_id, (SELECT condition_id FROM late UNION ALL SELECT condition_id FROM folded) AS condition_id FROM fresh

-- fold_close: store a close edge and, only if it is new, return its condition.
-- A close older than the last trigger is stale. One that overtook its open leaves a returned row, count 0, which the
-- open then joins, so that nothing stays active for ever.
WITH fresh AS (
  INSERT INTO event (event_id, rule_id, rule_version, object_id, signal, series_id, edge, severity, time,
    value, low, high, score, why_ru, why_en)
  VALUES (%(event_id)s, %(rule_id)s, %(rule_version)s, %(object_id)s, %(signal)s, %(series_id)s, %(edge)s,
    %(severity)s, %(time)s, %(value)s, %(low)s, %(high)s, %(score)s, %(why_ru)s, %(why_en)s)
  ON CONFLICT (event_id) DO NOTHING RETURNING *),
closed AS (
  UPDATE condition c SET state = 'returned', returned = f.time, change = nextval('condition_change')
  FROM fresh f
  WHERE c.rule_id = f.rule_id AND c.object_id = f.object_id AND c.signal = f.signal
    AND c.state = 'active' AND c.last_seen <= f.time
  RETURNING c.condition_id),
early AS (
  INSERT INTO condition (rule_id, rule_version, object_id, signal, series_id, severity, state, opened, returned, count,
    first_seen, last_seen, value, peak, low, high, score, why_ru, why_en, event_id, change)
  SELECT rule_id, rule_version, object_id, signal, series_id, severity, 'returned', time, time, 0,
    time, time, value, value, low, high, score, why_ru, why_en, event_id, nextval('condition_change')
  FROM fresh f WHERE NOT EXISTS (SELECT FROM closed) AND NOT EXISTS (
    SELECT FROM condition c WHERE c.rule_id = f.rule_id AND c.object_id = f.object_id AND c.signal = f.signal
      AND (c.state = 'active' OR c.returned >= f.time))
  RETURNING condition_id)
SELECT event_id, (SELECT condition_id FROM closed UNION ALL SELECT condition_id FROM early) AS condition_id FROM fresh

-- radio_devices: what is known of devices that were heard; in order, so that nobody deadlocks
SELECT * FROM radio_device WHERE device_id = ANY(%(ids)s) ORDER BY device_id FOR UPDATE

-- radio_places: where these devices are
SELECT device_id, object_id FROM device_point WHERE device_id = ANY(%(ids)s) AND valid_to = 'infinity'

-- put_radio_devices: as it is after the frames of a batch
INSERT INTO radio_device SELECT * FROM jsonb_populate_recordset(NULL::radio_device, %(rows)s)
ON CONFLICT (device_id) DO UPDATE SET (arrived_ns, last_heard, session, f_cnt, low_f_cnt, spreading, rssi, snr, day, frames,
  lost, month_frames, month_lost, resets, replays, last_reset, last_replay, frequency, margin, weak) = (excluded.arrived_ns,
  excluded.last_heard, excluded.session,
  excluded.f_cnt, excluded.low_f_cnt, excluded.spreading, excluded.rssi, excluded.snr, excluded.day, excluded.frames,
  excluded.lost, excluded.month_frames, excluded.month_lost, excluded.resets, excluded.replays, excluded.last_reset, excluded.last_replay,
  excluded.frequency, excluded.margin, excluded.weak)

-- put_radio_links: moving means; the newest twenty frames or so make them
INSERT INTO radio_link AS l (device_id, gateway, first_heard, last_heard, frames, rssi, snr)
SELECT device_id, gateway, heard, heard, frames, rssi, snr
FROM jsonb_to_recordset(%(rows)s) AS x (device_id int, gateway text, heard timestamptz, frames int, rssi real, snr real)
ORDER BY device_id, gateway
ON CONFLICT (device_id, gateway) DO UPDATE SET
  last_heard = greatest(l.last_heard, excluded.last_heard), frames = l.frames + excluded.frames,
  rssi = l.rssi + (excluded.rssi - l.rssi) * (1 - power(0.95, excluded.frames)),
  snr = l.snr + (excluded.snr - l.snr) * (1 - power(0.95, excluded.frames))

-- drop_radio_links: gateways that have not heard these devices for 30 days
DELETE FROM radio_link WHERE device_id = ANY(%(ids)s) AND last_heard < %(before)s
