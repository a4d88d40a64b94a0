-- touched: these objects, and the points that these devices measure or measured.
SELECT unnest(%(ids)s::int[]) AS object_id UNION SELECT object_id FROM device_point WHERE device_id = ANY(%(ids)s)

-- forget: lines that are written again.
DELETE FROM registry_line WHERE object_id = ANY(%(ids)s)

-- add: what the list shows of them now.
INSERT INTO registry_line (object_id, key, class, service, zone_ids, life_cycle, device_id, external_id, profile, text)
SELECT object_id, key, class, service, zone_ids, life_cycle, device_id, external_id, profile, text FROM registry_line_now
WHERE object_id = ANY(%(ids)s)
