-- objects: everything that lies at a point of the map or moves, with what rights ask of it.
SELECT object_id, service, lon, lat, zone_ids FROM object_now
WHERE (lon IS NOT NULL OR object_id = ANY(%(movers)s)) AND class <> 'device' ORDER BY object_id

-- series: series of the heat maps' quantities; of several channels the first counts.
SELECT DISTINCT ON (object_id, quantity) series_id, object_id, quantity FROM series
WHERE quantity = ANY(%(quantities)s) ORDER BY object_id, quantity, series_id

-- newest: newest values of those, and how new the newest of all is.
SELECT n.series_id, n.value, n.change FROM series s JOIN newest n USING (series_id) WHERE s.quantity = ANY(%(quantities)s)

-- newest_time: event time of the newest value of the city, in milliseconds.
SELECT extract(epoch FROM max(time))::float8 * 1000 AS time_ms FROM newest

-- states: active conditions of all objects.
SELECT object_id, signal, severity FROM condition WHERE state = 'active'

-- changed_states: active conditions of those objects whose conditions changed; nulls when there is none any more.
SELECT c.object_id, a.signal, a.severity
FROM (SELECT DISTINCT object_id FROM condition WHERE condition_id = ANY(%(ids)s::bigint[])) c
LEFT JOIN condition a ON a.object_id = c.object_id AND a.state = 'active'

-- base: shapes of the base map, areas first.
SELECT object_id, class, name_ru, name_en, service, zone_ids, geometry, attributes FROM object_now
WHERE geometry IS NOT NULL AND class = ANY(%(classes)s) ORDER BY object_id

-- names: names of objects with one value each: that of the active condition, else the first of the profile.
SELECT o.object_id, o.class, o.name_ru, o.name_en, o.service, o.zone_ids, v.quantity, v.unit, v.value, v.time
FROM object_now o LEFT JOIN LATERAL (
  SELECT s.quantity, s.unit, n.value, n.time FROM series s JOIN newest n USING (series_id)
  LEFT JOIN condition c ON c.object_id = o.object_id AND c.state = 'active' AND c.series_id = s.series_id
  WHERE s.object_id = o.object_id ORDER BY c.condition_id IS NULL, s.series_id LIMIT 1) v ON true
WHERE o.object_id = ANY(%(ids)s)

-- stations: where a quantity is measured well at present: not silent, not doubtful, not hours old.
SELECT o.service, o.zone_ids, o.lon, o.lat, n.value, extract(epoch FROM n.time)::float8 * 1000 AS time_ms
FROM series s JOIN newest n USING (series_id) JOIN object_now o ON o.object_id = s.object_id
WHERE s.quantity = %(quantity)s AND o.lon IS NOT NULL AND n.quality & %(doubtful)s = 0
  AND n.time > (SELECT max(time) FROM newest) - make_interval(hours => %(hours)s)
  AND NOT EXISTS (SELECT FROM condition c WHERE c.object_id = o.object_id AND c.state = 'active' AND c.signal = 'nodata')
ORDER BY o.object_id
