-- add_objects: identities of keys that are new.
INSERT INTO object (key, class) SELECT * FROM unnest(%(keys)s::text[], %(classes)s::text[]) ON CONFLICT (key) DO NOTHING

-- ids: identity and class of keys; a merged key leads to the object that it was merged into.
SELECT key, coalesce(merged_into, object_id) AS object_id, class FROM object WHERE key = ANY(%(keys)s)

-- zones: areas that objects belong to.
SELECT object_id, geometry FROM object_now WHERE class = ANY(%(classes)s) AND geometry IS NOT NULL

-- placed: everything that lies somewhere and is no zone itself.
SELECT object_id, lon, lat, geometry, zone_ids FROM object_now
WHERE class <> ALL(%(classes)s) AND (lon IS NOT NULL OR geometry IS NOT NULL)

-- tied: open relations of these devices and points.
SELECT device_id, object_id, valid_from FROM device_point WHERE valid_to = 'infinity' AND device_id = ANY(%(devices)s) UNION
SELECT device_id, object_id, valid_from FROM device_point WHERE valid_to = 'infinity' AND object_id = ANY(%(points)s)

-- untie: a relation ends.
UPDATE device_point SET valid_to = greatest(%(city)s, valid_from + interval '1 microsecond')
WHERE device_id = ANY(%(devices)s) AND valid_to = 'infinity'

-- tie: a relation begins where the device's last one ended, or as early as anything.
INSERT INTO device_point (device_id, object_id, valid_from)
SELECT d, p, greatest(%(since)s::timestamptz, (SELECT max(valid_to) FROM device_point x WHERE x.device_id = d),
  (SELECT max(valid_to) FROM device_point x WHERE x.object_id = p))
FROM unnest(%(devices)s::int[], %(points)s::int[]) AS t (d, p)

-- add_series: series that are new.
INSERT INTO series (object_id, quantity, channel, unit)
SELECT * FROM unnest(%(objects)s::int[], %(quantities)s::text[], %(channels)s::text[], %(units)s::text[])
ON CONFLICT (object_id, quantity, channel) DO NOTHING

-- add_mapped: what a new mapping needs for all devices of the profile.
INSERT INTO series (object_id, quantity, channel, unit)
SELECT l.object_id, m.quantity, m.channel, m.unit
FROM registry_line l, unnest(%(quantities)s::text[], %(channels)s::text[], %(units)s::text[]) AS m (quantity, channel, unit)
WHERE l.profile = %(name)s AND l.class <> 'device'
ON CONFLICT (object_id, quantity, channel) DO NOTHING

-- profiles: newest bodies; by_person = somebody has changed what was shipped.
SELECT DISTINCT ON (name) name, version, body, actor LIKE 'person:%%' AS by_person FROM profile ORDER BY name, version DESC

-- classes: newest bodies.
SELECT DISTINCT ON (name) name, version, body FROM object_class ORDER BY name, version DESC

-- add_class: a new version.
INSERT INTO object_class (name, version, body, actor) VALUES (%(name)s, %(version)s, %(body)s, %(actor)s)

-- add_profile: a new version.
INSERT INTO profile (name, version, body, actor, note)
VALUES (%(name)s, %(version)s, %(body)s, %(actor)s, %(note)s)

-- rules: newest bodies.
SELECT DISTINCT ON (rule_id) rule_id AS name, version, body, false AS by_person FROM rule ORDER BY rule_id, version DESC

-- add_rule: a new version.
INSERT INTO rule (rule_id, version, body, effective_from) VALUES (%(name)s, %(version)s, %(body)s, %(city)s)

-- tied_key: what a device measures now.
SELECT p.key FROM object d JOIN device_point dp ON dp.device_id = d.object_id AND dp.valid_to = 'infinity'
JOIN object p ON p.object_id = dp.object_id WHERE d.key = %(key)s

-- device_on: the device that is on an object now.
SELECT substr(d.key, 8) AS external_id FROM object o
JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
JOIN object d ON d.object_id = dp.device_id WHERE o.key = %(key)s

-- codecs: the newest script of each profile.
SELECT DISTINCT ON (profile) profile, version, source, actor FROM codec ORDER BY profile, version DESC

-- add_codec: a new version of the script of a profile.
INSERT INTO codec (profile, version, source, note, actor)
VALUES (%(profile)s, %(version)s, %(source)s, %(note)s, %(actor)s)

-- class_version: the newest version that somebody has written of a class.
SELECT coalesce(max(version), 0) AS version FROM object_class WHERE name = %(name)s
