-- lock: one writer of the registry at a time.
SELECT pg_advisory_xact_lock(hashtext('citynet:registry'))

-- moment: city time for valid_from, wall time for recorded_from.
SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS city,
       clock_timestamp() AS recorded

-- add_objects: identities of keys that are new.
INSERT INTO object (key, class) SELECT * FROM unnest(%(keys)s::text[], %(classes)s::text[]) ON CONFLICT (key) DO NOTHING

-- ids: identity and class of keys.
SELECT key, object_id, class FROM object WHERE key = ANY(%(keys)s)

-- current: what is recorded as true from now on.
SELECT object_id, valid_from, name_ru, name_en, service, org_id, parent_id, lon, lat, geometry, zone_ids, attributes, retired
FROM object_version WHERE object_id = ANY(%(ids)s) AND recorded_to = 'infinity' AND valid_to = 'infinity'

-- close: what was believed until now is no longer believed as open-ended ...
UPDATE object_version SET recorded_to = %(recorded)s
WHERE object_id = ANY(%(ids)s) AND recorded_to = 'infinity' AND valid_to = 'infinity'

-- keep_past: ... but it was true until the moment of the change.
INSERT INTO object_version (object_id, valid_from, valid_to, recorded_from, name_ru, name_en, service, org_id, parent_id,
  lon, lat, geometry, zone_ids, attributes, retired, actor)
SELECT object_id, valid_from, %(city)s, %(recorded)s, name_ru, name_en, service, org_id, parent_id,
  lon, lat, geometry, zone_ids, attributes, retired, actor
FROM object_version
WHERE object_id = ANY(%(ids)s) AND recorded_to = %(recorded)s AND valid_to = 'infinity' AND valid_from < %(city)s

-- add_version: what is true from the moment of the change.
INSERT INTO object_version (object_id, valid_from, recorded_from, name_ru, name_en, service, org_id, parent_id,
  lon, lat, geometry, zone_ids, attributes, actor)
VALUES (%(object_id)s, %(valid_from)s, %(recorded)s, %(name_ru)s, %(name_en)s, %(service)s, %(org_id)s, %(parent_id)s,
  %(lon)s, %(lat)s, %(geometry)s, %(zone_ids)s, %(attributes)s, %(actor)s)

-- zones: areas that objects belong to.
SELECT object_id, geometry FROM object_now WHERE class = ANY(%(classes)s) AND geometry IS NOT NULL

-- placed: everything that lies somewhere and is no zone itself.
SELECT object_id, lon, lat, geometry, zone_ids FROM object_now
WHERE class <> ALL(%(classes)s) AND (lon IS NOT NULL OR geometry IS NOT NULL)

-- full: current rows of objects, to write them again with other zones.
SELECT object_id, valid_from, name_ru, name_en, service, org_id, parent_id, lon, lat, geometry, zone_ids, attributes
FROM object_now WHERE object_id = ANY(%(ids)s)

-- tied: open relations of these devices and points.
SELECT device_id, object_id, valid_from FROM device_point
WHERE valid_to = 'infinity' AND (device_id = ANY(%(devices)s) OR object_id = ANY(%(points)s))

-- untie: a relation ends.
UPDATE device_point SET valid_to = greatest(%(city)s, valid_from + interval '1 microsecond')
WHERE device_id = ANY(%(devices)s) AND valid_to = 'infinity'

-- tie: a relation begins where the device's last one ended, or as early as anything.
INSERT INTO device_point (device_id, object_id, valid_from)
SELECT d, p, coalesce((SELECT max(valid_to) FROM device_point x WHERE x.device_id = d OR x.object_id = p), %(since)s)
FROM unnest(%(devices)s::int[], %(points)s::int[]) AS t (d, p)

-- add_series: series that are new.
INSERT INTO series (object_id, quantity, channel, unit)
SELECT * FROM unnest(%(objects)s::int[], %(quantities)s::text[], %(channels)s::text[], %(units)s::text[])
ON CONFLICT (object_id, quantity, channel) DO NOTHING

-- profiles: newest bodies.
SELECT DISTINCT ON (name) name, version, body FROM profile ORDER BY name, version DESC

-- add_profile: a new version.
INSERT INTO profile (name, version, body) VALUES (%(name)s, %(version)s, %(body)s)

-- rules: newest bodies.
SELECT DISTINCT ON (rule_id) rule_id AS name, version, body FROM rule ORDER BY rule_id, version DESC

-- add_rule: a new version.
INSERT INTO rule (rule_id, version, body, effective_from) VALUES (%(name)s, %(version)s, %(body)s, %(city)s)
