-- thing: an object or device by id, UUID or key; a merged key leads on. One that is retired or merged away counts too.
SELECT coalesce(m.object_id, o.object_id) AS object_id, coalesce(m.key, o.key) AS key, coalesce(m.class, o.class) AS class
FROM object o LEFT JOIN object m ON m.object_id = o.merged_into
WHERE o.object_id = %(id)s OR o.uid = %(uid)s OR o.key = %(key)s

-- above: whether an object is part of another, by any number of steps.
WITH RECURSIVE up AS (
  SELECT object_id, parent_id, 1 AS depth FROM object_now WHERE key = %(key)s
  UNION ALL SELECT o.object_id, o.parent_id, up.depth + 1 FROM up JOIN object_now o ON o.object_id = up.parent_id WHERE depth < 32)
SELECT object_id FROM up WHERE object_id = %(id)s LIMIT 1

-- device_of: the device that measures a point now.
SELECT dp.device_id, d.key FROM device_point dp JOIN object d ON d.object_id = dp.device_id
WHERE dp.object_id = %(id)s AND dp.valid_to = 'infinity' ORDER BY dp.valid_from DESC LIMIT 1

-- point_of: what a device measures now.
SELECT dp.object_id, p.key, p.class FROM device_point dp JOIN object p USING (object_id)
WHERE dp.device_id = %(id)s AND dp.valid_to = 'infinity'

-- end_tie: the old meter measures until this moment.
UPDATE device_point SET valid_to = %(at)s WHERE device_id = %(device)s AND valid_to = 'infinity' AND valid_from < %(at)s

-- start_tie: the new meter measures from this moment.
INSERT INTO device_point (device_id, object_id, valid_from) VALUES (%(device)s, %(id)s, %(at)s)

-- registers: cumulative series of a point, with the last value of each.
SELECT s.series_id, s.quantity, s.channel, s.unit, n.value, n.time FROM series s LEFT JOIN newest n USING (series_id)
WHERE s.object_id = %(id)s AND s.quantity = ANY(%(quantities)s) ORDER BY s.series_id

-- add_swap: the exchange of a meter.
INSERT INTO device_swap (object_id, old_device_id, new_device_id, at, actor, note)
VALUES (%(id)s, %(old)s, %(new)s, %(at)s, %(actor)s, %(note)s) RETURNING swap_id

-- add_register: what the old meter showed last and the new one first.
INSERT INTO device_swap_register (swap_id, series_id, final, initial) VALUES (%(swap)s, %(series)s, %(final)s, %(initial)s)

-- swaps: exchanges at a point, newest first.
SELECT w.swap_id, w.at, w.recorded, w.actor, w.note, substr(a.key, 8) AS old, substr(b.key, 8) AS new,
  coalesce((SELECT jsonb_agg(jsonb_build_object('series_id', r.series_id, 'quantity', s.quantity, 'unit', s.unit,
    'final', r.final, 'initial', r.initial) ORDER BY r.series_id)
    FROM device_swap_register r JOIN series s USING (series_id) WHERE r.swap_id = w.swap_id), '[]') AS registers
FROM device_swap w JOIN object a ON a.object_id = w.old_device_id JOIN object b ON b.object_id = w.new_device_id
WHERE w.object_id = %(id)s ORDER BY w.at DESC LIMIT 100

-- as_of: what was true at a moment, as it was known at another.
SELECT o.object_id, o.uid::text AS uid, o.key, o.class AS class_, v.valid_from, nullif(v.valid_to, 'infinity') AS valid_to,
  v.recorded_from, nullif(v.recorded_to, 'infinity') AS recorded_to, v.name_ru, v.name_en, v.service, g.key AS org,
  p.key AS parent, v.lon, v.lat, v.zone_ids, v.attributes, v.life_cycle, v.tags, v.address, v.retired, v.actor,
  v.origin, (SELECT substr(d.key, 8) FROM device_point dp JOIN object d ON d.object_id = dp.device_id
   WHERE dp.object_id = o.object_id AND dp.valid_from <= %(as_of)s AND %(as_of)s < dp.valid_to LIMIT 1) AS device, v.org_id
FROM object o JOIN object_version v USING (object_id)
LEFT JOIN object g ON g.object_id = v.org_id LEFT JOIN object p ON p.object_id = v.parent_id
WHERE o.object_id = %(id)s AND v.valid_from <= %(as_of)s AND %(as_of)s < v.valid_to
  AND v.recorded_from <= %(known_at)s AND %(known_at)s < v.recorded_to

-- history: every version, the newest knowledge first.
SELECT v.valid_from, nullif(v.valid_to, 'infinity') AS valid_to, v.recorded_from, nullif(v.recorded_to, 'infinity') AS recorded_to,
  v.name_ru, v.name_en, v.service, v.lon, v.lat, v.attributes, v.life_cycle, v.tags, v.address, v.retired, v.actor,
  p.key AS parent, v.note
FROM object_version v LEFT JOIN object p ON p.object_id = v.parent_id
WHERE v.object_id = %(id)s ORDER BY v.recorded_from DESC, v.valid_from DESC LIMIT 200

-- devices_of: which device measured a point when.
SELECT substr(d.key, 8) AS external_id, dp.valid_from, nullif(dp.valid_to, 'infinity') AS valid_to
FROM device_point dp JOIN object d ON d.object_id = dp.device_id WHERE dp.object_id = %(id)s ORDER BY dp.valid_from DESC LIMIT 100
