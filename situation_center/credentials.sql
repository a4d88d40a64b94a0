-- device: a living device by its key.
SELECT object_id FROM object_now WHERE key = %(key)s AND class = 'device'

-- place: where a device, living or not, belongs, for the right to give it credentials.
SELECT service, zone_ids FROM object o JOIN object_version v USING (object_id)
WHERE o.key = %(key)s AND o.class = 'device' AND v.recorded_to = 'infinity' ORDER BY v.valid_from DESC LIMIT 1

-- lock: one writer of a device's credentials at a time.
SELECT pg_advisory_xact_lock(hashtext('citynet:credential'), %s)

-- count: credentials that may still be used.
SELECT count(*) FROM device_credential WHERE device_id = %s AND revoked IS NULL AND valid_to > now()

-- add: one credential; no row when its hash is known already.
INSERT INTO device_credential (device_id, kind, sha256, subject, valid_to, created_by)
VALUES (%(device)s, CASE WHEN %(subject)s = '' THEN 'token' ELSE 'x509' END, %(sha256)s, %(subject)s,
  coalesce(%(until)s::timestamptz, 'infinity'), %(by)s)
ON CONFLICT (sha256) DO NOTHING RETURNING uid

-- end_after: what a device has proves it for the time of grace only.
UPDATE device_credential SET valid_to = greatest(least(valid_to, now() + %(grace)s), valid_from + interval '1 microsecond')
WHERE device_id = %(device)s AND revoked IS NULL AND valid_to > now()

-- revoke: one or all credentials of a device, also of one that lives no more.
UPDATE device_credential SET revoked = now(), revoked_by = %(by)s
WHERE device_id = (SELECT object_id FROM object WHERE key = %(key)s AND class = 'device')
  AND revoked IS NULL AND (%(uid)s::uuid IS NULL OR uid = %(uid)s::uuid)

-- enrol: a token each for devices that have nothing yet.
INSERT INTO device_credential (device_id, kind, sha256, created_by)
SELECT n.object_id, 'token', t.sha256, %(by)s FROM unnest(%(keys)s::text[], %(hashes)s::bytea[]) AS t (key, sha256)
JOIN object_now n ON n.key = t.key AND n.class = 'device'
WHERE NOT EXISTS (SELECT FROM device_credential c WHERE c.device_id = n.object_id)
ON CONFLICT (sha256) DO NOTHING

-- list: all of a device, newest first.
SELECT uid::text AS uid, kind, subject, encode(CASE kind WHEN 'x509' THEN sha256 END, 'hex') AS fingerprint,
  valid_from, nullif(valid_to, 'infinity') AS valid_to, created, created_by, revoked, revoked_by,
  CASE WHEN revoked IS NOT NULL THEN 'revoked' WHEN valid_to <= now() THEN 'ended'
       WHEN valid_from > now() THEN 'ahead' ELSE 'valid' END AS state
FROM device_credential WHERE device_id = (SELECT object_id FROM object WHERE key = %(key)s AND class = 'device')
ORDER BY credential_id DESC

-- without: living devices that come to the broker themselves and never had a credential.
SELECT substr(n.key, 8) AS external_id FROM object_now n
WHERE n.class = 'device' AND n.attributes->>'protocol' = 'native'
  AND NOT EXISTS (SELECT FROM device_credential c WHERE c.device_id = n.object_id) ORDER BY 1

-- devices_of: devices at a point, or the device itself.
SELECT substr(d.key, 8) AS external_id, d.attributes->>'protocol' AS protocol FROM object_now d
WHERE d.class = 'device' AND (d.object_id = %(id)s OR EXISTS (SELECT FROM device_point p
  WHERE p.device_id = d.object_id AND p.object_id = %(id)s AND p.valid_to = 'infinity')) ORDER BY d.object_id
