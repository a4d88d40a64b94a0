-- The registry takes files, knows the life cycle of things, and classes with typed attributes.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
ALTER TABLE object ADD COLUMN merged_into int REFERENCES object;

ALTER TABLE object_version
  ADD COLUMN life_cycle text NOT NULL DEFAULT 'active' CHECK (life_cycle IN
    ('planned','installed','active','out_of_service','retired','swapped')),
  ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
  ADD COLUMN address text NOT NULL DEFAULT '',
  ADD COLUMN origin jsonb NOT NULL DEFAULT '{}';

CREATE OR REPLACE VIEW object_now AS
  SELECT o.object_id, o.uid, o.key, o.class, v.name_ru, v.name_en, v.service, v.org_id, v.parent_id,
         v.lon, v.lat, v.geometry, v.zone_ids, v.attributes, v.valid_from, v.life_cycle, v.tags, v.address, v.origin
  FROM object o JOIN object_version v USING (object_id)
  WHERE v.recorded_to = 'infinity' AND v.valid_to = 'infinity' AND NOT v.retired;

-- What the list of the registry shows: objects with their device, and devices that are on none. registry_line is kept
-- equal to registry_line_now by the writer of the registry, so that a list of 100,000 devices answers at once.
CREATE VIEW registry_line_now AS
  SELECT o.object_id, o.key, o.class, o.service, o.zone_ids, coalesce(d.life_cycle, o.life_cycle) AS life_cycle,
    coalesce(dp.device_id, CASE WHEN o.class = 'device' THEN o.object_id END) AS device_id,
    a.attributes->>'external_id' AS external_id, a.attributes->>'profile' AS profile,
    lower(concat_ws(' ', o.key, a.attributes->>'external_id', o.name_ru, o.name_en, o.address,
      array_to_string(o.tags, ' '))) AS text
  FROM object_now o
  LEFT JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
  LEFT JOIN object_now d ON d.object_id = dp.device_id
  LEFT JOIN LATERAL (SELECT CASE WHEN o.class = 'device' THEN o.attributes ELSE d.attributes END AS attributes) a ON true
  WHERE CASE WHEN o.class = 'device' THEN NOT EXISTS (
    SELECT FROM device_point x WHERE x.device_id = o.object_id AND x.valid_to = 'infinity') ELSE true END;
CREATE TABLE registry_line (
  object_id int PRIMARY KEY REFERENCES object, key text COLLATE "C" NOT NULL, class text NOT NULL, service text,
  zone_ids int[] NOT NULL, life_cycle text NOT NULL, device_id int, external_id text, profile text, text text NOT NULL);
CREATE INDEX registry_line_key ON registry_line (key);
CREATE INDEX registry_line_class ON registry_line (class, key);
CREATE INDEX registry_line_service ON registry_line (service, key);
CREATE INDEX registry_line_life ON registry_line (life_cycle, key);
CREATE INDEX registry_line_profile ON registry_line (profile, key);
CREATE INDEX registry_line_text ON registry_line USING gin (text gin_trgm_ops);
INSERT INTO registry_line SELECT object_id, key, class, service, zone_ids, life_cycle, device_id, external_id, profile, text
FROM registry_line_now;

ALTER TABLE profile
  ADD COLUMN actor text NOT NULL DEFAULT 'part:worker', ADD COLUMN note text NOT NULL DEFAULT '';

CREATE TABLE object_class (
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'), version int NOT NULL, body jsonb NOT NULL,
  recorded timestamptz NOT NULL DEFAULT now(), actor text NOT NULL, PRIMARY KEY (name, version));

CREATE TABLE registry_import (
  import_id uuid PRIMARY KEY DEFAULT uuidv7(), at timestamptz NOT NULL DEFAULT now(), actor text NOT NULL,
  file_name text NOT NULL, body bytea, state text NOT NULL DEFAULT 'checking' CHECK (state IN
    ('checking','checked','refused','applying','applied','failed')),
  summary jsonb NOT NULL DEFAULT '{}', progress int NOT NULL DEFAULT 0);
CREATE TABLE registry_reject (
  import_id uuid NOT NULL REFERENCES registry_import ON DELETE CASCADE,
  line int NOT NULL, name text NOT NULL, reason text NOT NULL, value text NOT NULL);
CREATE INDEX registry_reject_line ON registry_reject (import_id, line);

-- A meter is exchanged: the point and its series stay; the registers of both are written down at the moment of the exchange.
CREATE TABLE device_swap (
  swap_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, object_id int NOT NULL REFERENCES object,
  old_device_id int NOT NULL REFERENCES object, new_device_id int NOT NULL REFERENCES object,
  at timestamptz NOT NULL, recorded timestamptz NOT NULL DEFAULT now(), actor text NOT NULL, note text NOT NULL DEFAULT '',
  CHECK (old_device_id <> new_device_id));
CREATE INDEX device_swap_object ON device_swap (object_id);
CREATE TABLE device_swap_register (
  swap_id int NOT NULL REFERENCES device_swap, series_id int NOT NULL REFERENCES series,
  final float8 NOT NULL CHECK (final > '-infinity' AND final < 'infinity'),
  initial float8 NOT NULL CHECK (initial > '-infinity' AND initial < 'infinity'), PRIMARY KEY (swap_id, series_id));

-- The register of addresses: norm is how the registry writes them, so that each is there once.
CREATE TABLE address (
  address_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, norm text NOT NULL UNIQUE, street_norm text NOT NULL,
  street text NOT NULL, house text NOT NULL,
  lon float8 NOT NULL CHECK (lon BETWEEN -180 AND 180), lat float8 NOT NULL CHECK (lat BETWEEN -90 AND 90));
CREATE INDEX address_street ON address (street_norm);
CREATE INDEX address_like ON address USING gin (street_norm gin_trgm_ops);
CREATE INDEX address_place ON address (lat, lon);
-- Duplicates that a person has merged; moved is what it took, so that it can be undone.
CREATE TABLE object_merge (
  merge_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, object_id int NOT NULL REFERENCES object,
  into_id int NOT NULL REFERENCES object, at timestamptz NOT NULL DEFAULT now(), actor text NOT NULL,
  note text NOT NULL DEFAULT '', moved jsonb NOT NULL, undone timestamptz, undone_by text NOT NULL DEFAULT '',
  CHECK (object_id <> into_id));
CREATE INDEX object_merge_objects ON object_merge (into_id, object_id);

CREATE INDEX quarantine_stranger ON quarantine (external_id, quarantine_id DESC) WHERE reason = 'unknown_device';

GRANT SELECT, INSERT, UPDATE, DELETE ON registry_import, registry_reject TO citynet_center;
GRANT SELECT, INSERT ON object_class TO citynet_center;
GRANT SELECT, INSERT, UPDATE, DELETE ON registry_line TO citynet_center;
GRANT SELECT ON registry_line_now TO citynet_center;
GRANT SELECT, INSERT ON device_swap, device_swap_register TO citynet_center;
GRANT USAGE ON SEQUENCE device_swap_swap_id_seq TO citynet_center;
GRANT SELECT ON device_swap, device_swap_register TO citynet_ingest, citynet_analytics;
GRANT MAINTAIN ON object, object_version, device_point, series, registry_line TO citynet_center;
GRANT SELECT, INSERT, UPDATE ON address, object_merge TO citynet_center;
GRANT USAGE ON SEQUENCE address_address_id_seq, object_merge_merge_id_seq TO citynet_center;
