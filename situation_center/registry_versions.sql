-- current: what is recorded as true from now on.
SELECT object_id, valid_from, recorded_from, name_ru, name_en, service, org_id, parent_id, lon, lat, geometry, zone_ids, attributes,
  life_cycle, tags, address, origin, retired
FROM object_version WHERE object_id = ANY(%(ids)s) AND recorded_to = 'infinity' AND valid_to = 'infinity'

-- close: what was believed until now is no longer believed as open-ended ...
UPDATE object_version SET recorded_to = %(recorded)s
WHERE object_id = ANY(%(ids)s) AND recorded_to = 'infinity' AND valid_to = 'infinity'

-- keep_past: ... but it was true until the moment of the change.
INSERT INTO object_version (object_id, valid_from, valid_to, recorded_from, name_ru, name_en, service, org_id, parent_id,
  lon, lat, geometry, zone_ids, attributes, retired, actor, life_cycle, tags, address, origin, note)
SELECT object_id, valid_from, t.start, %(recorded)s, name_ru, name_en, service, org_id, parent_id,
  lon, lat, geometry, zone_ids, attributes, retired, actor, life_cycle, tags, address, origin, note
FROM object_version JOIN unnest(%(ids)s::int[], %(starts)s::timestamptz[]) AS t (object_id, start) USING (object_id)
WHERE recorded_to = %(recorded)s AND valid_to = 'infinity' AND valid_from < t.start

-- add_versions: what is true from the moment of the change.
COPY object_version (object_id, valid_from, recorded_from, name_ru, name_en, service, org_id, parent_id, lon, lat,
  geometry, zone_ids, attributes, life_cycle, tags, address, origin, retired, actor, note) FROM STDIN

-- moment: city time for valid_from, wall time for recorded_from.
SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS city,
       clock_timestamp() AS recorded

-- lock: one writer of the registry at a time.
SELECT pg_advisory_xact_lock(hashtext('citynet:registry'))
