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

-- candidates: pairs that look like one thing. Each object is in a cell at least as wide as the distance and is compared with
-- the same cell and with four of the eight around it: every pair of cells meets once. Only narrow rows are compared. Where
-- a crowd looks alike at one address each meets the two next by name, and of a cell the first ones: else they were millions of pairs.
WITH named AS (
  SELECT object_id, class, regexp_replace(name_ru, '\D', '', 'g') AS digits, lower(address) AS address, lon, lat, name_ru
  FROM object_now WHERE class <> 'device' AND class <> ALL(%(areas)s)
    AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
    AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])),
o AS MATERIALIZED (
  SELECT object_id, class, digits, address, lon, lat, count(*) OVER alike AS size,
    row_number() OVER (alike ORDER BY name_ru, object_id) AS rank
  FROM named WINDOW alike AS (PARTITION BY class, digits, address)),
next AS MATERIALIZED (
  SELECT object_id, class, digits, address, rank + step AS rank FROM o CROSS JOIN LATERAL
    generate_series(1, CASE WHEN size > %(crowd)s THEN least(2, size - rank) ELSE size - rank END) AS step
  WHERE address <> '' AND size > 1),
scale AS (SELECT %(metres)s / 111195 AS height, %(metres)s / 111195 / greatest(min(cos(radians(lat))), 0.01) AS width FROM o),
celled AS (
  SELECT object_id, class, digits, lon, lat, rank, floor(lat / height)::int AS row, floor(lon / width)::int AS col FROM o, scale WHERE lon IS NOT NULL),
placed AS MATERIALIZED (
  SELECT object_id, class, digits, lon, lat, row, col FROM (
    SELECT *, row_number() OVER (PARTITION BY class, digits, row, col ORDER BY rank, object_id) AS nth FROM celled) c
  WHERE nth <= %(crowd)s),
near AS (
  SELECT a.object_id AS one, b.object_id AS two, a.lat AS lat, a.lon - b.lon AS east, a.lat - b.lat AS north
  FROM placed a CROSS JOIN (VALUES (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)) AS step (up, aside)
  JOIN placed b ON b.class = a.class AND b.digits = a.digits AND b.row = a.row + up AND b.col = a.col + aside
    AND (b.object_id > a.object_id OR (up, aside) <> (0, 0))),
pairs AS (
  SELECT least(one, two) AS one, greatest(one, two) AS two FROM near
  WHERE 111195 * sqrt(north ^ 2 + (east * cos(radians(lat))) ^ 2) <= %(metres)s
  UNION
  SELECT least(a.object_id, b.object_id), greatest(a.object_id, b.object_id) FROM next a JOIN o b USING (class, digits, address, rank))
SELECT a.object_id AS into_id, a.key AS into_key, a.name_ru AS into_name_ru, a.name_en AS into_name_en,
  b.object_id AS gone_id, b.key AS gone_key, b.name_ru AS gone_name_ru, b.name_en AS gone_name_en, a.class,
  coalesce(nullif(a.address, ''), b.address) AS address,
  111195 * sqrt((a.lat - b.lat) ^ 2 + ((a.lon - b.lon) * cos(radians(a.lat))) ^ 2) AS metres,
  la.external_id AS into_device, lb.external_id AS gone_device
FROM pairs p JOIN object_now a ON a.object_id = p.one JOIN object_now b ON b.object_id = p.two
LEFT JOIN registry_line la ON la.object_id = a.object_id LEFT JOIN registry_line lb ON lb.object_id = b.object_id
WHERE similarity(a.name_ru, b.name_ru) >= %(least)s AND (la.device_id IS NULL OR lb.device_id IS NULL)
ORDER BY similarity(a.name_ru, b.name_ru) DESC, a.key LIMIT %(limit)s

-- newest: the newest merges of what the viewer may see.
SELECT m.merge_id, g.key, i.key AS into_key, m.at, m.actor, m.note, m.undone, m.undone_by
FROM object_merge m JOIN object g ON g.object_id = m.object_id JOIN object_now i ON i.object_id = m.into_id
WHERE (%(services)s::text[] = '{}' OR i.service IS NULL OR i.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR i.zone_ids = '{}' OR i.zone_ids && %(zones)s::int[])
ORDER BY m.merge_id DESC LIMIT %(limit)s
