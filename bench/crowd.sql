-- objects: identities of lamps and of the devices that measure them.
INSERT INTO object (key, class)
SELECT prefix || 'crowd-' || lpad(n::text, 6, '0'), class
FROM generate_series(0, %(count)s - 1) n, (VALUES ('lamp/', 'lamp'), ('device/', 'device')) AS t (prefix, class)

-- versions: what is true of them; a device carries its name on the wire.
INSERT INTO object_version (object_id, valid_from, name_ru, name_en, lon, lat, attributes, actor)
SELECT object_id, '2000-01-01Z', key, key, CASE class WHEN 'lamp' THEN 37.7 END, CASE class WHEN 'lamp' THEN 44.7 END,
  CASE class WHEN 'device' THEN jsonb_build_object('external_id', substr(key, 8), 'protocol', 'native',
    'profile', 'lamp', 'serial', object_id::text) ELSE '{}' END, 'bench'
FROM object WHERE key LIKE '%%/crowd-%%'

-- ties: which device measures which lamp.
INSERT INTO device_point (device_id, object_id, valid_from)
SELECT d.object_id, p.object_id, '2000-01-01Z'
FROM object d JOIN object p ON p.key = 'lamp/' || substr(d.key, 8) WHERE d.key LIKE 'device/crowd-%%'

-- series: what is measured of each lamp.
INSERT INTO series (object_id, quantity, unit)
SELECT object_id, quantity, '1' FROM object, unnest(%(quantities)s::text[]) quantity WHERE key LIKE 'lamp/crowd-%%'

-- swap: two devices change places; the registry says so in the rows alone, nobody announces it.
UPDATE device_point t SET object_id = o.object_id
FROM device_point o JOIN object a ON a.key = 'device/crowd-000000' JOIN object b ON b.key = 'device/crowd-000001'
WHERE (t.device_id, o.device_id) IN ((a.object_id, b.object_id), (b.object_id, a.object_id))

-- first: series of the two lamps of swap by key.
SELECT key, array_agg(series_id) FROM object JOIN series USING (object_id)
WHERE key IN ('lamp/crowd-000000', 'lamp/crowd-000001') GROUP BY key ORDER BY key
