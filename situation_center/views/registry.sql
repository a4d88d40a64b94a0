-- listed: lines of the registry in the order of keys. At 100,000 devices the filters must not touch what they do not name.
WITH hit AS MATERIALIZED (
  SELECT object_id FROM object WHERE %(text)s <> '' AND lower(key) LIKE %(like)s
  UNION SELECT object_id FROM object_version WHERE %(text)s <> '' AND recorded_to = 'infinity' AND valid_to = 'infinity'
    AND lower(name_ru || ' ' || name_en || ' ' || address) LIKE %(like)s),
found AS MATERIALIZED (
  SELECT object_id FROM hit
  UNION SELECT dp.object_id FROM hit JOIN device_point dp ON dp.device_id = hit.object_id AND dp.valid_to = 'infinity')
SELECT o.object_id, o.key, o.class AS class_, v.name_ru, v.name_en, v.service, coalesce(d.life_cycle, v.life_cycle) AS life_cycle,
  v.tags, v.address, p.name_ru AS parent_ru, p.name_en AS parent_en, v.lon, v.lat,
  coalesce(dp.device_id, CASE WHEN o.class = 'device' THEN o.object_id END) AS device_id,
  coalesce(d.attributes, CASE WHEN o.class = 'device' THEN v.attributes END)->>'external_id' AS external_id,
  coalesce(d.attributes, CASE WHEN o.class = 'device' THEN v.attributes END)->>'profile' AS profile
FROM object o JOIN object_version v ON v.object_id = o.object_id AND v.recorded_to = 'infinity' AND v.valid_to = 'infinity'
LEFT JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
LEFT JOIN object_version d ON d.object_id = dp.device_id AND d.recorded_to = 'infinity' AND d.valid_to = 'infinity'
LEFT JOIN object_version p ON p.object_id = v.parent_id AND p.recorded_to = 'infinity' AND p.valid_to = 'infinity'
WHERE NOT v.retired AND o.key COLLATE "C" > %(after)s
  AND (o.class <> 'device' OR NOT EXISTS (
    SELECT FROM device_point x WHERE x.device_id = o.object_id AND x.valid_to = 'infinity'))
  AND (%(text)s = '' OR o.object_id IN (SELECT object_id FROM found))
  AND (%(class)s::text IS NULL OR o.class = %(class)s)
  AND (%(service)s::text IS NULL OR v.service = %(service)s)
  AND (%(life_cycle)s::text IS NULL OR coalesce(d.life_cycle, v.life_cycle) = %(life_cycle)s)
  AND (%(profile)s::text IS NULL
    OR coalesce(d.attributes, CASE WHEN o.class = 'device' THEN v.attributes END)->>'profile' = %(profile)s)
  AND (%(services)s::text[] = '{}' OR v.service IS NULL OR v.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR v.zone_ids = '{}' OR v.zone_ids && %(zones)s::int[])
ORDER BY o.key COLLATE "C" LIMIT %(limit)s

-- classes: classes that have objects; a skip from one to the next, not a walk over all objects.
WITH RECURSIVE c AS (
  (SELECT class FROM object ORDER BY class LIMIT 1)
  UNION ALL SELECT (SELECT o.class FROM object o WHERE o.class > c.class ORDER BY o.class LIMIT 1) FROM c
  WHERE c.class IS NOT NULL)
SELECT class FROM c WHERE class IS NOT NULL

-- profiles: their names.
SELECT DISTINCT name FROM profile ORDER BY name
