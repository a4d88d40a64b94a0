-- of_devices: every credential of these devices that nobody has revoked.
SELECT credential_id, device_id, external_id, kind, sha256, subject, valid_from, nullif(valid_to, 'infinity') AS valid_to
FROM device_credential_now WHERE key = ANY(%(keys)s)

-- of_token: the credential of this token.
SELECT credential_id, device_id, external_id, kind, sha256, subject, valid_from, nullif(valid_to, 'infinity') AS valid_to
FROM device_credential_now WHERE kind = 'token' AND sha256 = %(sha256)s

-- ended: devices of which a credential, or the device itself, has ended lately.
SELECT external_id, max(at) AS at FROM device_sign_in_ended
WHERE at <= now() AND at > now() - %(within)s::interval GROUP BY external_id
