-- Each device gets a credential of its own.
-- What a device proves itself with; several may be valid at once, so that a change of token has a time of grace. token: SHA-256
-- of the token. x509: subject of the certificate, and SHA-256 of its DER where only this one certificate will do.
CREATE TABLE device_credential (
  credential_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  device_id int NOT NULL REFERENCES object, kind text NOT NULL CHECK (kind IN ('token','x509')),
  sha256 bytea UNIQUE CHECK (octet_length(sha256) = 32), subject text NOT NULL DEFAULT '' CHECK (length(subject) <= 500),
  valid_from timestamptz NOT NULL DEFAULT now(), valid_to timestamptz NOT NULL DEFAULT 'infinity',
  created timestamptz NOT NULL DEFAULT now(), created_by text NOT NULL,
  revoked timestamptz, revoked_by text NOT NULL DEFAULT '',
  CHECK (valid_from < valid_to), CHECK ((revoked IS NULL) = (revoked_by = '')),
  CHECK (CASE kind WHEN 'token' THEN sha256 IS NOT NULL AND subject = '' ELSE subject <> '' END));
CREATE INDEX device_credential_device ON device_credential (device_id);
CREATE INDEX device_credential_end ON device_credential (least(revoked, valid_to));
-- All that a part needs to know which device speaks: credentials that nobody revoked, of devices that live.
CREATE VIEW device_credential_now AS
  SELECT o.key, c.credential_id, c.device_id, substr(o.key, 8) AS external_id, c.kind, c.sha256, c.subject, c.valid_from, c.valid_to
  FROM device_credential c JOIN object o ON o.object_id = c.device_id
  WHERE c.revoked IS NULL AND o.class = 'device' AND starts_with(o.key, 'device/') AND EXISTS (
    SELECT FROM object_version v WHERE v.object_id = o.object_id
    AND v.recorded_to = 'infinity' AND v.valid_to = 'infinity' AND NOT v.retired);
-- When sign-in ended: a credential was revoked or ran out, or the device lives no more. Sessions from before are closed.
CREATE VIEW device_sign_in_ended AS
  SELECT substr(o.key, 8) AS external_id, e.at FROM object o JOIN (
    SELECT device_id, least(revoked, valid_to) AS at FROM device_credential
    UNION ALL SELECT object_id, recorded_from FROM object_version
      WHERE retired AND recorded_to = 'infinity' AND valid_to = 'infinity') e ON e.device_id = o.object_id
  WHERE o.class = 'device' AND starts_with(o.key, 'device/');
GRANT SELECT ON device_credential_now TO citynet_gateway, citynet_center, citynet_identity;
GRANT SELECT ON city_clock, device_sign_in_ended TO citynet_identity;
GRANT SELECT, INSERT, UPDATE ON device_credential TO citynet_center;
GRANT USAGE ON SEQUENCE device_credential_credential_id_seq TO citynet_center;
