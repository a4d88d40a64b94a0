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

-- classes: classes that have objects; a skip from one to the next, not a walk over all of them.
WITH RECURSIVE c AS (
  (SELECT class FROM registry_line ORDER BY class LIMIT 1)
  UNION ALL SELECT (SELECT l.class FROM registry_line l WHERE l.class > c.class ORDER BY l.class LIMIT 1) FROM c
  WHERE c.class IS NOT NULL)
SELECT class FROM c WHERE class IS NOT NULL

-- profiles: their names.
SELECT DISTINCT name FROM profile ORDER BY name
