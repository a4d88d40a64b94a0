-- children: what is part of an object now.
SELECT object_id FROM object_now WHERE parent_id = %(id)s

-- point_to: the key leads to another object from now on, or to itself again.
UPDATE object SET merged_into = %(into)s WHERE object_id = %(id)s

-- lead_on: keys that led to the one that goes lead to the one that stays.
UPDATE object SET merged_into = %(into)s WHERE merged_into = %(id)s RETURNING object_id

-- add: the memory of a merge.
INSERT INTO object_merge (object_id, into_id, actor, note, moved) VALUES (%(id)s, %(into)s, %(actor)s, %(note)s, %(moved)s)
RETURNING merge_id

-- one: a merge that was not undone.
SELECT merge_id, object_id, into_id, moved FROM object_merge WHERE merge_id = %(id)s AND undone IS NULL

-- undone: it was taken back.
UPDATE object_merge SET undone = clock_timestamp(), undone_by = %(actor)s WHERE merge_id = %(id)s

-- listed: merges into an object or of one, newest first.
SELECT m.merge_id, g.key, i.key AS into_key, m.at, m.actor, m.note, m.undone, m.undone_by
FROM object_merge m JOIN object g ON g.object_id = m.object_id JOIN object i ON i.object_id = m.into_id
WHERE m.into_id = %(id)s OR m.object_id = %(id)s ORDER BY m.merge_id DESC LIMIT 100

-- candidates: pairs that look like one thing. Cells of twice the distance: each object is in one, and asks the four about it.
WITH o AS MATERIALIZED (
  SELECT object_id, key, class, name_ru, name_en, address, lon, lat, regexp_replace(name_ru, '\D', '', 'g') AS digits,
    cos(radians(lat)) AS narrow
  FROM object_now WHERE class <> 'device' AND class <> ALL(%(areas)s)
    AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
    AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])),
placed AS (
  SELECT *, floor(lat * 111195 / (2 * %(metres)s))::int AS row, floor(lon * 111195 * 0.7 / (2 * %(metres)s))::int AS col
  FROM o WHERE lon IS NOT NULL),
asking AS (
  SELECT DISTINCT p.*, floor((lat * 111195 + dy * %(metres)s) / (2 * %(metres)s))::int AS at_row,
    floor((lon * 111195 + dx * %(metres)s / 0.5) * 0.7 / (2 * %(metres)s))::int AS at_col
  FROM placed p, (VALUES (-1), (1)) y (dy), (VALUES (-1), (0), (1)) x (dx)),
pairs AS (
  SELECT a.object_id AS one, b.object_id AS two FROM asking a JOIN placed b
    ON b.class = a.class AND b.digits = a.digits AND b.row = a.at_row AND b.col = a.at_col AND b.object_id > a.object_id
  WHERE 111195 * sqrt((a.lat - b.lat) ^ 2 + ((a.lon - b.lon) * a.narrow) ^ 2) <= %(metres)s
  UNION
  SELECT a.object_id, b.object_id FROM o a JOIN o b
    ON b.class = a.class AND b.digits = a.digits AND lower(b.address) = lower(a.address) AND b.object_id > a.object_id
  WHERE a.address <> '')
SELECT a.object_id AS into_id, a.key AS into_key, a.name_ru AS into_name_ru, a.name_en AS into_name_en,
  b.object_id AS gone_id, b.key AS gone_key, b.name_ru AS gone_name_ru, b.name_en AS gone_name_en, a.class,
  coalesce(nullif(a.address, ''), b.address) AS address,
  111195 * sqrt((a.lat - b.lat) ^ 2 + ((a.lon - b.lon) * a.narrow) ^ 2) AS metres,
  la.external_id AS into_device, lb.external_id AS gone_device
FROM pairs p JOIN o a ON a.object_id = p.one JOIN o b ON b.object_id = p.two
LEFT JOIN registry_line la ON la.object_id = a.object_id LEFT JOIN registry_line lb ON lb.object_id = b.object_id
WHERE similarity(a.name_ru, b.name_ru) >= %(least)s AND (la.device_id IS NULL OR lb.device_id IS NULL)
ORDER BY similarity(a.name_ru, b.name_ru) DESC, a.key LIMIT %(limit)s

-- newest: the newest merges of what the viewer may see.
SELECT m.merge_id, g.key, i.key AS into_key, m.at, m.actor, m.note, m.undone, m.undone_by
FROM object_merge m JOIN object g ON g.object_id = m.object_id JOIN object_now i ON i.object_id = m.into_id
WHERE (%(services)s::text[] = '{}' OR i.service IS NULL OR i.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR i.zone_ids = '{}' OR i.zone_ids && %(zones)s::int[])
ORDER BY m.merge_id DESC LIMIT %(limit)s
