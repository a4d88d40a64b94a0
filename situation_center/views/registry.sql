-- found: ids of the lines that a search finds, in the order of keys; points: only objects that have a device.
SELECT object_id FROM registry_line
WHERE key > %(after)s AND (NOT %(points)s::bool OR (device_id IS NOT NULL AND class <> 'device'))
  AND (%(text)s = '' OR text LIKE %(like)s)
  AND (%(class)s::text IS NULL OR class = %(class)s)
  AND (%(service)s::text IS NULL OR service = %(service)s)
  AND (%(life_cycle)s::text IS NULL OR life_cycle = %(life_cycle)s)
  AND (%(profile)s::text IS NULL OR profile = %(profile)s)
  AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])
ORDER BY key LIMIT %(limit)s

-- lines: these lines; names and places are read for the page alone.
SELECT l.object_id, l.key, l.class AS class_, o.name_ru, o.name_en, l.service, l.life_cycle, o.tags, o.address,
  p.name_ru AS parent_ru, p.name_en AS parent_en, o.lon, o.lat, l.device_id, l.external_id, l.profile
FROM registry_line l JOIN object_now o USING (object_id) LEFT JOIN object_now p ON p.object_id = o.parent_id
WHERE l.object_id = ANY(%(ids)s) ORDER BY l.key

-- lines_at: lines as they stood at a moment, as that was known at another; of what the asker may know of today too.
SELECT o.object_id, o.key, o.class AS class_, v.name_ru, v.name_en, v.service, coalesce(d.life_cycle, v.life_cycle) AS life_cycle,
  v.tags, v.address, p.name_ru AS parent_ru, p.name_en AS parent_en, v.lon, v.lat,
  CASE WHEN o.class = 'device' THEN o.object_id ELSE t.device_id END AS device_id,
  w.attributes->>'external_id' AS external_id, w.attributes->>'profile' AS profile
FROM object o
JOIN object_version v ON v.object_id = o.object_id AND v.valid_from <= %(as_of)s AND v.valid_to > %(as_of)s
  AND v.recorded_from <= %(known_at)s AND v.recorded_to > %(known_at)s AND NOT v.retired
LEFT JOIN LATERAL (SELECT device_id FROM device_point x
  WHERE x.object_id = o.object_id AND x.valid_from <= %(as_of)s AND x.valid_to > %(as_of)s LIMIT 1) t ON true
LEFT JOIN object_version d ON d.object_id = t.device_id AND d.valid_from <= %(as_of)s AND d.valid_to > %(as_of)s
  AND d.recorded_from <= %(known_at)s AND d.recorded_to > %(known_at)s AND NOT d.retired
LEFT JOIN object_version p ON p.object_id = v.parent_id AND p.valid_from <= %(as_of)s AND p.valid_to > %(as_of)s
  AND p.recorded_from <= %(known_at)s AND p.recorded_to > %(known_at)s
CROSS JOIN LATERAL (SELECT CASE WHEN o.class = 'device' THEN v.attributes ELSE d.attributes END AS attributes) w
WHERE o.key COLLATE "C" > %(after)s
  AND (o.class <> 'device' OR NOT EXISTS (SELECT FROM device_point x
    WHERE x.device_id = o.object_id AND x.valid_from <= %(as_of)s AND x.valid_to > %(as_of)s))
  AND (%(text)s = '' OR lower(concat_ws(' ', o.key, w.attributes->>'external_id', v.name_ru, v.name_en, v.address,
    array_to_string(v.tags, ' '))) LIKE %(like)s)
  AND (%(class)s::text IS NULL OR o.class = %(class)s)
  AND (%(service)s::text IS NULL OR v.service = %(service)s)
  AND (%(life_cycle)s::text IS NULL OR coalesce(d.life_cycle, v.life_cycle) = %(life_cycle)s)
  AND (%(profile)s::text IS NULL OR w.attributes->>'profile' = %(profile)s)
  AND (%(services)s::text[] = '{}' OR v.service IS NULL OR v.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR v.zone_ids = '{}' OR v.zone_ids && %(zones)s::int[])
  AND ((%(services)s::text[] = '{}' AND %(zones)s::int[] = '{}') OR EXISTS (SELECT FROM object_version n
    WHERE n.object_id = o.object_id AND n.recorded_to = 'infinity' AND n.valid_to = 'infinity'
    AND (%(services)s::text[] = '{}' OR n.service IS NULL OR n.service = ANY(%(services)s))
    AND (%(zones)s::int[] = '{}' OR n.zone_ids = '{}' OR n.zone_ids && %(zones)s::int[])))
ORDER BY o.key COLLATE "C" LIMIT %(limit)s

-- classes: classes that have objects; a skip from one to the next, not a walk over all of them.
WITH RECURSIVE c AS (
  (SELECT class FROM registry_line ORDER BY class LIMIT 1)
  UNION ALL SELECT (SELECT l.class FROM registry_line l WHERE l.class > c.class ORDER BY l.class LIMIT 1) FROM c
  WHERE c.class IS NOT NULL)
SELECT class FROM c WHERE class IS NOT NULL

-- profiles: their names.
SELECT DISTINCT name FROM profile ORDER BY name
