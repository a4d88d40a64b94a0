-- columns: attributes that the rows of the export have.
SELECT DISTINCT 'attr' AS kind, a.name FROM object_now o, jsonb_object_keys(o.attributes) AS a (name)
WHERE o.class <> 'device' AND (%(class)s::text IS NULL OR o.class = %(class)s)
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
UNION
SELECT DISTINCT 'device', a.name FROM object_now o, jsonb_object_keys(o.attributes) AS a (name) WHERE o.class = 'device'
  AND a.name NOT IN ('external_id', 'protocol', 'profile')
ORDER BY kind, name

-- rows: objects with the device that is on them now, and devices that are on none; in the order of keys.
WITH usual AS (SELECT DISTINCT ON (name) name, coalesce(body->>'protocol', 'native') AS protocol FROM profile ORDER BY name, version DESC)
SELECT o.key, o.class, o.name_ru, o.name_en, o.service, g.key AS org, p.key AS parent, o.lon, o.lat, o.geometry, o.address,
  o.tags, coalesce(d.life_cycle, o.life_cycle) AS life_cycle, o.valid_from AS since, o.attributes, d.attributes AS device,
  u.protocol AS usual_protocol
FROM object_now o LEFT JOIN object g ON g.object_id = o.org_id LEFT JOIN object p ON p.object_id = o.parent_id
LEFT JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
LEFT JOIN object_now d ON d.object_id = dp.device_id
LEFT JOIN usual u ON u.name = coalesce(d.attributes, CASE WHEN o.class = 'device' THEN o.attributes END)->>'profile'
WHERE (%(class)s::text IS NULL OR o.class = %(class)s)
  AND (o.class <> 'device' OR NOT EXISTS (
    SELECT FROM device_point x WHERE x.device_id = o.object_id AND x.valid_to = 'infinity'))
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY o.key COLLATE "C"
