-- devices: devices of these identifiers with their points.
SELECT d.object_id AS device_id, d.attributes->>'external_id' AS external_id, d.attributes->>'protocol' AS protocol,
       d.attributes->>'profile' AS profile, d.attributes AS attributes, p.object_id AS point_id
FROM object_now d LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
WHERE d.class = 'device' AND d.attributes->>'external_id' = ANY(%(devices)s)

-- objects: what these devices measure, objects of these keys, radio gateways of these ids; with owners and parents.
WITH wanted AS (
  SELECT object_id FROM object WHERE key = ANY(%(keys)s)
  UNION SELECT object_id FROM object_now WHERE class = 'gateway' AND lower(attributes->>'gateway_id') = ANY(%(gateways)s)
  UNION SELECT p.object_id FROM object_now d JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
    WHERE d.class = 'device' AND d.attributes->>'external_id' = ANY(%(devices)s)),
around AS (
  SELECT object_id FROM wanted
  UNION SELECT org_id FROM object_now JOIN wanted USING (object_id) WHERE org_id IS NOT NULL
  UNION SELECT parent_id FROM object_now JOIN wanted USING (object_id) WHERE parent_id IS NOT NULL)
SELECT object_id, uid::text AS uid, key, class, name_ru, name_en, service, org_id, parent_id, lon, lat, zone_ids, attributes
FROM object_now JOIN around USING (object_id) WHERE class <> 'device'
