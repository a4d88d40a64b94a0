-- owners: to which device each of these commands was given.
SELECT command_id, device_id FROM command WHERE command_id = ANY(%s)

-- receipts: what is already known of these commands.
SELECT command_id, kind FROM receipt WHERE command_id = ANY(%s)

-- cursor: how far the registry is: number of versions of profiles and codecs, last series, oldest open transaction, now.
SELECT (SELECT count(*) FROM profile)::int + (SELECT count(*) FROM codec)::int AS profiles, coalesce((SELECT max(series_id) FROM series), 0) AS series,
       pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, clock_timestamp() AS recorded

-- scripts: the newest codec in JavaScript of each profile that has one.
SELECT profile, version, source FROM (
  SELECT DISTINCT ON (profile) profile, version, source FROM codec ORDER BY profile, version DESC) AS newest
WHERE source <> ''

-- written: the newest script of each profile and whether a person wrote it.
SELECT DISTINCT ON (profile) profile, source, actor LIKE 'person:%%' AS by_person FROM codec ORDER BY profile, version DESC

-- profiles: the newest version of each profile.
SELECT DISTINCT ON (name) name, version, body FROM profile ORDER BY name, version DESC

-- routes: devices of these identifiers with the series of their points.
SELECT d.object_id AS device_id, d.attributes->>'external_id' AS external_id, d.attributes->>'protocol' AS protocol,
       d.attributes->>'profile' AS profile, d.attributes - '{external_id,protocol,profile}'::text[] AS attributes,
       p.object_id AS point_id, s.quantities, s.channels, s.series
FROM object_version d JOIN object o ON o.object_id = d.object_id AND o.class = 'device'
LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(quantity), '{}') AS quantities, coalesce(array_agg(channel), '{}') AS channels,
         coalesce(array_agg(series_id), '{}') AS series
  FROM series x WHERE x.object_id = p.object_id) s
WHERE d.attributes->>'external_id' = ANY(%s) AND d.recorded_to = 'infinity' AND d.valid_to = 'infinity' AND NOT d.retired

-- routes_by_id: the same by the ids of devices.
SELECT d.object_id AS device_id, d.attributes->>'external_id' AS external_id, d.attributes->>'protocol' AS protocol,
       d.attributes->>'profile' AS profile, d.attributes - '{external_id,protocol,profile}'::text[] AS attributes,
       p.object_id AS point_id, s.quantities, s.channels, s.series
FROM object_now d
LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(quantity), '{}') AS quantities, coalesce(array_agg(channel), '{}') AS channels,
         coalesce(array_agg(series_id), '{}') AS series
  FROM series x WHERE x.object_id = p.object_id) s
WHERE d.object_id = ANY(%s) AND d.class = 'device'

-- changed: objects with a new version, devices that were tied or untied, since a cursor. xmin is the transaction that
-- wrote a row last; a writer notes its moment before it commits, so an hour is looked at.
SELECT object_id AS id FROM object_version
WHERE recorded_from > %(recorded)s - interval '1 hour' AND age(xmin) <= age(%(horizon)s::xid8::xid)
UNION SELECT device_id FROM device_point WHERE age(xmin) <= age(%(horizon)s::xid8::xid)

-- standing: what people want of a command now; a final state or a wish to cancel keeps it from being sent.
SELECT state, cancel_asked FROM command WHERE command_id = %s

-- unwanted: which of these commands people have taken back, or something else has ended.
SELECT command_id FROM command WHERE command_id = ANY(%s)
  AND (cancel_asked <> '' OR state IN ('cancelled', 'superseded', 'expired', 'failed', 'rejected', 'unknown_final'))

-- unanswered: commands that went out, were not answered and have time left, with what their retries depend on.
SELECT c.command_id, c.device_id, c.action, c.args, c.deadline, count(*) FILTER (WHERE r.kind = 'sent') AS attempts,
  max(r.time) FILTER (WHERE r.kind = 'sent') AS sent, max(r.time) FILTER (WHERE r.kind = 'unknown') AS refused
FROM command c JOIN receipt r USING (command_id)
WHERE c.state IN ('queued', 'sent', 'unknown') AND c.cancel_asked = '' AND c.deadline > %(now)s
GROUP BY c.command_id
HAVING bool_or(r.kind = 'sent')
  AND NOT bool_or(r.kind IN ('acknowledged', 'rejected', 'failed', 'expired', 'withdrawn', 'readback'))
ORDER BY c.command_id LIMIT 1000

-- recalls: commands that people want back after they went out, of which nothing proves that they were radiated.
SELECT c.command_id, c.device_id, max(r.detail) FILTER (WHERE r.kind = 'queued' AND r.detail <> '') AS item
FROM command c JOIN receipt r USING (command_id)
WHERE c.state IN ('queued', 'sent') AND c.cancel_asked <> '' AND c.deadline > %(now)s
GROUP BY c.command_id
HAVING bool_or(r.kind = 'sent') AND NOT bool_or(r.kind IN ('radiated', 'acknowledged', 'rejected', 'failed', 'expired',
  'unknown', 'readback', 'withdrawn', 'kept'))
ORDER BY c.command_id LIMIT 100

-- alone: whether no other command is on its way to the device.
SELECT NOT EXISTS (SELECT FROM command WHERE device_id = %(device_id)s AND command_id <> %(command_id)s
  AND state IN ('queued', 'sent')) AS alone

-- on_air: what was on air since a moment (an intent says it), each attempt once; begun and never sent may have been.
SELECT i.detail, coalesce(s.time, i.time) AS time
FROM receipt i LEFT JOIN receipt s ON s.command_id = i.command_id AND s.kind = 'sent'
WHERE i.kind = 'intent' AND i.detail <> '' AND i.time > %(since)s ORDER BY 2

-- heard: frequency in Hz and spreading factor of the last uplink of a device.
SELECT frequency, spreading FROM radio_device WHERE device_id = %s

-- queued: which commands a network server has queued under these names.
SELECT command_id, detail FROM receipt WHERE kind = 'queued' AND detail = ANY(%s)

-- next_block: the block of archived frames after one that was read; blocks follow their newest frame. Of one device: those
-- that may hold frames of it.
SELECT block_id, last_at, raw_bytes, body FROM frame_block
WHERE stream = %(stream)s AND (last_at, block_id) > (%(at)s, %(block_id)s) AND last_at >= %(since)s
  AND first_at < %(before)s AND frame_block_may_hold(devices, %(first)s::bigint, %(step)s::bigint)
ORDER BY last_at, block_id LIMIT 1

-- previous_block: the same the other way round, from the newest one on.
SELECT block_id, last_at, raw_bytes, body FROM frame_block
WHERE stream = %(stream)s AND (last_at, block_id) < (%(at)s, %(block_id)s) AND last_at >= %(since)s
  AND first_at < %(before)s AND frame_block_may_hold(devices, %(first)s::bigint, %(step)s::bigint)
ORDER BY last_at DESC, block_id DESC LIMIT 1

-- newest_block: up to when a stream is archived.
SELECT last_at FROM frame_block WHERE stream = %(stream)s ORDER BY last_at DESC, block_id DESC LIMIT 1
