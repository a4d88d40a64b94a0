-- of_devices: every credential of these devices that nobody has revoked.
SELECT credential_id, device_id, external_id, kind, sha256, subject, valid_from, nullif(valid_to, 'infinity') AS valid_to
FROM device_credential_now WHERE key = ANY(%(keys)s)

-- of_token: the credential of this token.
SELECT credential_id, device_id, external_id, kind, sha256, subject, valid_from, nullif(valid_to, 'infinity') AS valid_to
FROM device_credential_now WHERE kind = 'token' AND sha256 = %(sha256)s
