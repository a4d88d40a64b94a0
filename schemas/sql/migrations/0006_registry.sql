-- The registry takes files, knows the life cycle of things, and classes with typed attributes.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
ALTER TABLE object ADD COLUMN merged_into int REFERENCES object;
CREATE INDEX object_key_order ON object (key COLLATE "C");
CREATE INDEX object_class_order ON object (class, key COLLATE "C");
CREATE INDEX object_key_text ON object USING gin (lower(key) gin_trgm_ops);

ALTER TABLE object_version
  ADD COLUMN life_cycle text NOT NULL DEFAULT 'active' CHECK (life_cycle IN
    ('planned','installed','active','out_of_service','retired','swapped')),
  ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
  ADD COLUMN address text NOT NULL DEFAULT '',
  ADD COLUMN origin jsonb NOT NULL DEFAULT '{}';
CREATE INDEX object_version_life ON object_version (life_cycle)
  WHERE recorded_to = 'infinity' AND valid_to = 'infinity' AND life_cycle <> 'active';
CREATE INDEX object_version_text ON object_version
  USING gin (lower(name_ru || ' ' || name_en || ' ' || address) gin_trgm_ops)
  WHERE recorded_to = 'infinity' AND valid_to = 'infinity';

CREATE OR REPLACE VIEW object_now AS
  SELECT o.object_id, o.uid, o.key, o.class, v.name_ru, v.name_en, v.service, v.org_id, v.parent_id,
         v.lon, v.lat, v.geometry, v.zone_ids, v.attributes, v.valid_from, v.life_cycle, v.tags, v.address, v.origin
  FROM object o JOIN object_version v USING (object_id)
  WHERE v.recorded_to = 'infinity' AND v.valid_to = 'infinity' AND NOT v.retired;

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

GRANT SELECT, INSERT, UPDATE, DELETE ON registry_import, registry_reject TO citynet_center;
GRANT SELECT, INSERT ON object_class TO citynet_center;
