-- The whole database of one city for a newcomer; migrations/ bring older ones here. citynet.db applies it as owner.
-- Roles citynet_gateway, citynet_ingest, citynet_analytics, citynet_center, citynet_identity exist before (citynet.migrate
-- creates them).
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA analytics;

CREATE TABLE schema_version (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());

-- One city clock: city time = origin + (wall now - wall_origin) * speed.
CREATE TABLE city_clock (
  only_one bool PRIMARY KEY DEFAULT true CHECK (only_one),
  origin timestamptz NOT NULL, wall_origin timestamptz NOT NULL, speed float8 NOT NULL CHECK (speed > 0));
CREATE TABLE setting (name text PRIMARY KEY, value jsonb NOT NULL);

-- ---------------------------------------------------------------- registry (written by situation_center only)
CREATE TABLE object (
  object_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  key text NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 200),
  class text NOT NULL CHECK (class ~ '^[a-z][a-z0-9_]{0,62}$'),
  merged_into int REFERENCES object);

CREATE TABLE object_version (
  object_id int NOT NULL REFERENCES object,
  valid_from timestamptz NOT NULL, valid_to timestamptz NOT NULL DEFAULT 'infinity',
  recorded_from timestamptz NOT NULL DEFAULT now(), recorded_to timestamptz NOT NULL DEFAULT 'infinity',
  name_ru text NOT NULL, name_en text NOT NULL,
  service text, org_id int REFERENCES object, parent_id int REFERENCES object,
  lon float8 CHECK (lon BETWEEN -180 AND 180), lat float8 CHECK (lat BETWEEN -90 AND 90),
  geometry bytea, zone_ids int[] NOT NULL DEFAULT '{}', attributes jsonb NOT NULL DEFAULT '{}',
  retired bool NOT NULL DEFAULT false, actor text NOT NULL,
  CHECK (valid_from < valid_to), CHECK (recorded_from < recorded_to), CHECK ((lon IS NULL) = (lat IS NULL)),
  EXCLUDE USING gist (object_id WITH =, tstzrange(valid_from, valid_to) WITH &&,
                      tstzrange(recorded_from, recorded_to) WITH &&),
  life_cycle text NOT NULL DEFAULT 'active' CHECK (life_cycle IN
    ('planned','installed','active','out_of_service','retired','swapped')),
  tags text[] NOT NULL DEFAULT '{}', address text NOT NULL DEFAULT '',
  origin jsonb NOT NULL DEFAULT '{}',  -- field -> source that wrote it last, where the class names an order of sources
  note text NOT NULL DEFAULT '' CHECK (length(note) <= 1000));  -- why, in the words of who wrote it
CREATE INDEX object_version_current ON object_version (object_id) WHERE recorded_to = 'infinity';
CREATE INDEX object_version_parent ON object_version (parent_id) WHERE recorded_to = 'infinity';
-- The gateway finds a device by its name on the wire, and what has changed since it looked last.
CREATE INDEX object_version_device ON object_version ((attributes->>'external_id')) WHERE recorded_to = 'infinity';
CREATE INDEX object_version_recorded ON object_version (recorded_from);
CREATE INDEX object_version_zones ON object_version USING gin (zone_ids) WHERE recorded_to = 'infinity';

CREATE VIEW object_now AS
  SELECT o.object_id, o.uid, o.key, o.class, v.name_ru, v.name_en, v.service, v.org_id, v.parent_id,
         v.lon, v.lat, v.geometry, v.zone_ids, v.attributes, v.valid_from, v.life_cycle, v.tags, v.address, v.origin
  FROM object o JOIN object_version v USING (object_id)
  WHERE v.recorded_to = 'infinity' AND v.valid_to = 'infinity' AND NOT v.retired;

-- Which device measures which point, dated: a meter swap keeps the series of the point.
CREATE TABLE device_point (
  device_id int NOT NULL REFERENCES object, object_id int NOT NULL REFERENCES object,
  valid_from timestamptz NOT NULL, valid_to timestamptz NOT NULL DEFAULT 'infinity',
  CHECK (valid_from < valid_to),
  EXCLUDE USING gist (device_id WITH =, tstzrange(valid_from, valid_to) WITH &&));
CREATE INDEX device_point_object ON device_point (object_id);
CREATE INDEX device_point_device ON device_point (device_id, valid_to);

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

-- Classes of objects with their typed attributes: schemas/classes.toml and what administrators add.
CREATE TABLE object_class (
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'), version int NOT NULL, body jsonb NOT NULL,
  recorded timestamptz NOT NULL DEFAULT now(), actor text NOT NULL, PRIMARY KEY (name, version));

-- A file that somebody gave to import: checked first, then applied as a whole or not at all.
CREATE TABLE registry_import (
  import_id uuid PRIMARY KEY DEFAULT uuidv7(), at timestamptz NOT NULL DEFAULT now(), actor text NOT NULL,
  file_name text NOT NULL, body bytea, state text NOT NULL DEFAULT 'checking' CHECK (state IN
    ('checking','checked','refused','applying','applied','failed')),
  summary jsonb NOT NULL DEFAULT '{}', progress int NOT NULL DEFAULT 0);
CREATE TABLE registry_reject (
  import_id uuid NOT NULL REFERENCES registry_import ON DELETE CASCADE,
  line int NOT NULL, name text NOT NULL, reason text NOT NULL, value text NOT NULL);
CREATE INDEX registry_reject_line ON registry_reject (import_id, line);
-- When sign-in ended: a credential was revoked or ran out, or the device lives no more. Sessions from before are closed.
CREATE VIEW device_sign_in_ended AS
  SELECT substr(o.key, 8) AS external_id, e.at FROM object o JOIN (
    SELECT device_id, least(revoked, valid_to) AS at FROM device_credential
    UNION ALL SELECT object_id, recorded_from FROM object_version
      WHERE retired AND recorded_to = 'infinity' AND valid_to = 'infinity') e ON e.device_id = o.object_id
  WHERE o.class = 'device' AND starts_with(o.key, 'device/');

CREATE TABLE profile (
  name text NOT NULL, version int NOT NULL, body jsonb NOT NULL,
  recorded timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, version),
  actor text NOT NULL DEFAULT 'part:worker', note text NOT NULL DEFAULT '');

-- Scripts of profiles, by version. An empty source takes the script away.
CREATE TABLE codec (
  profile text NOT NULL CHECK (length(profile) BETWEEN 1 AND 200), version int NOT NULL CHECK (version > 0),
  source text NOT NULL, note text NOT NULL DEFAULT '', actor text NOT NULL,
  recorded timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (profile, version));

CREATE TABLE series (
  series_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  object_id int NOT NULL REFERENCES object, quantity text NOT NULL, channel text NOT NULL DEFAULT '',
  unit text NOT NULL, UNIQUE (object_id, quantity, channel));

CREATE TABLE rule (
  rule_id text NOT NULL, version int NOT NULL, body jsonb NOT NULL, active bool NOT NULL DEFAULT true,
  effective_from timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (rule_id, version));

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

-- ---------------------------------------------------------------- what happened (written by ingest only)
CREATE TABLE reading (
  series_id int NOT NULL, time timestamptz NOT NULL, received timestamptz NOT NULL,
  value float8 NOT NULL CHECK (value > '-infinity' AND value < 'infinity'),
  quality int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, time))
  PARTITION BY RANGE (time);

-- What was read in a few minutes, of whatever series: rows lie in the order in which they came.
CREATE INDEX reading_when ON reading USING brin ("time", received) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE reading_edit (
  series_id int NOT NULL, time timestamptz NOT NULL, version int NOT NULL, value float8 NOT NULL,
  quality int2 NOT NULL, who text NOT NULL, at timestamptz NOT NULL DEFAULT now(), why text NOT NULL,
  codec_version text, PRIMARY KEY (series_id, time, version),
  CHECK (value > '-infinity' AND value < 'infinity'));
-- A correction says how good its value is: of the first reading only what concerns its way stays (clock doubtful 8,
-- late 16, repeated 32), not that the value was bad.
CREATE VIEW reading_newest AS
  SELECT r.series_id, r.time, r.received, coalesce(e.value, r.value) AS value,
         CASE WHEN e.quality IS NULL THEN r.quality ELSE (r.quality & 56::int2 | e.quality)::int2 END AS quality
  FROM reading r LEFT JOIN LATERAL (
    SELECT value, quality FROM reading_edit e WHERE e.series_id = r.series_id AND e.time = r.time
    ORDER BY version DESC LIMIT 1) e ON true;

-- What readings say by the hour and by the local day of the city. good: readings that are not out of range, of which the
-- figures are; used: consumption by a register with the bits of Used; a day adds up its hours.
CREATE TABLE rollup_hour (
  series_id int NOT NULL, hour timestamptz NOT NULL, n int NOT NULL, good int NOT NULL,
  low float8, high float8, total float8, first float8, last float8, last_at timestamptz,
  used float8, marks int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, hour)) PARTITION BY RANGE (hour);
CREATE TABLE rollup_day (
  series_id int NOT NULL, day date NOT NULL, n int NOT NULL, good int NOT NULL,
  low float8, high float8, total float8, first float8, last float8, last_at timestamptz,
  used float8, marks int2 NOT NULL DEFAULT 0, PRIMARY KEY (series_id, day));
CREATE INDEX rollup_day_day ON rollup_day (day);
CREATE INDEX rollup_hour_hour ON rollup_hour USING brin (hour);
CREATE VIEW rollup_month AS
  SELECT series_id, date_trunc('month', day)::date AS month, sum(n)::int AS n, sum(good)::int AS good, min(low) AS low,
    max(high) AS high, sum(total) AS total, (array_agg(first ORDER BY day) FILTER (WHERE first IS NOT NULL))[1] AS first,
    (array_agg(last ORDER BY day DESC) FILTER (WHERE last IS NOT NULL))[1] AS last, max(last_at) AS last_at,
    sum(used) AS used, bit_or(marks) AS marks
  FROM rollup_day GROUP BY series_id, date_trunc('month', day);
-- Hours with readings that are not rolled up yet, by blocks of 256 series; written with the readings, some more than once.
CREATE TABLE rollup_due (block int NOT NULL, hour timestamptz NOT NULL);
CREATE INDEX rollup_due_hour ON rollup_due (block, hour);
CREATE FUNCTION rollup_partition_ensure(moment timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
  name text := 'rollup_hour_' || to_char(month, 'YYYYMM');
BEGIN
  IF moment < '2000-01-01Z' OR moment > '2100-01-01Z' THEN
    RAISE EXCEPTION 'time % is outside 2000..2100', moment USING ERRCODE = '22008';
  END IF;
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('rollup_partition_ensure'));
  IF to_regclass('public.' || name) IS NOT NULL THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF rollup_hour FOR VALUES FROM (%L) TO (%L)',
    name, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
  RETURN true;
END $$;

-- Raw frames in compressed blocks, for longer than the broker holds them. Nobody may change one.
CREATE TABLE frame_block (
  block_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, stream text NOT NULL CHECK (stream IN ('UPLINKS','HISTORY')),
  first_at timestamptz NOT NULL, last_at timestamptz NOT NULL CHECK (first_at <= last_at),
  last_seq bigint NOT NULL, frames int NOT NULL CHECK (frames > 0), raw_bytes int NOT NULL CHECK (raw_bytes > 0),
  body bytea STORAGE EXTERNAL NOT NULL,
  -- Which devices it may hold: a Bloom filter of 16 bits a device (citynet/archive.py, decision 0040). NULL: not known.
  devices bytea STORAGE MAIN,
  stored int NOT NULL);  -- bytes of body and devices
CREATE INDEX frame_block_time ON frame_block (stream, last_at, block_id);
-- The size of the archive is summed up each minute: by this index alone, since rows are large.
CREATE INDEX frame_block_size ON frame_block (last_at DESC, block_id DESC) INCLUDE (stored, frames);
CREATE FUNCTION frame_block_may_hold(devices bytea, first bigint, step bigint) RETURNS bool
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- CASE: the first bit that is not set ends it, and the planner walks the index instead of sorting all blocks
  SELECT CASE WHEN devices IS NULL OR first IS NULL THEN true
    WHEN get_bit(devices, first % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 2 * step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 3 * step) % (8 * octet_length(devices))) = 0 THEN false
    WHEN get_bit(devices, (first + 4 * step) % (8 * octet_length(devices))) = 0 THEN false
    ELSE get_bit(devices, (first + 5 * step) % (8 * octet_length(devices))) = 1 END
  $$;

-- Newest value of each series; change orders the live push.
CREATE SEQUENCE newest_change;
CREATE TABLE newest (
  series_id int PRIMARY KEY, time timestamptz NOT NULL, received timestamptz NOT NULL,
  value float8 NOT NULL, quality int2 NOT NULL, change bigint NOT NULL) WITH (fillfactor = 50);

-- Newest readings of all series as they stood each five minutes, in blocks of 256 series; taken: city time of the snapshot.
CREATE TABLE newest_snapshot (
  at timestamptz NOT NULL, block int NOT NULL, taken timestamptz NOT NULL, series int[] NOT NULL,
  "time" timestamptz[] NOT NULL, value float8[] NOT NULL, quality int2[] NOT NULL, PRIMARY KEY (at, block));

CREATE TABLE quarantine (
  quarantine_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(), stage text NOT NULL, reason text NOT NULL, detail text NOT NULL DEFAULT '',
  subject text NOT NULL DEFAULT '', external_id text NOT NULL DEFAULT '',
  stream text NOT NULL DEFAULT '', stream_seq bigint NOT NULL DEFAULT 0, payload bytea NOT NULL DEFAULT '',
  -- When the frame first came (wall), when and by whom it was sent up again, the row whose replay failed again here.
  arrived timestamptz, replayed timestamptz, replayed_by text NOT NULL DEFAULT '', replay_of bigint,
  UNIQUE (stream, stream_seq, reason, detail));
CREATE INDEX quarantine_at ON quarantine (at DESC);
CREATE INDEX quarantine_stranger ON quarantine (external_id, quarantine_id DESC) WHERE reason = 'unknown_device';
CREATE INDEX quarantine_device ON quarantine (external_id, quarantine_id DESC);

CREATE TABLE event (
  event_id uuid PRIMARY KEY, rule_id text NOT NULL, rule_version int NOT NULL,
  object_id int NOT NULL, signal text NOT NULL, series_id int, edge text NOT NULL CHECK (edge IN ('open','again','close')),
  severity text NOT NULL CHECK (severity IN ('critical','high','medium','low')),
  time timestamptz NOT NULL, value float8, low float8, high float8, score float8,
  why_ru text NOT NULL, why_en text NOT NULL, recorded timestamptz NOT NULL DEFAULT now());
CREATE INDEX event_object ON event (object_id, time DESC);

CREATE SEQUENCE condition_change;
CREATE TABLE condition (
  condition_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  rule_id text NOT NULL, rule_version int NOT NULL, object_id int NOT NULL, signal text NOT NULL, series_id int,
  severity text NOT NULL, state text NOT NULL CHECK (state IN ('active','returned')),
  opened timestamptz NOT NULL, returned timestamptz, count int NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL, last_seen timestamptz NOT NULL,
  value float8, peak float8, low float8, high float8, score float8,
  why_ru text NOT NULL, why_en text NOT NULL, event_id uuid NOT NULL, change bigint NOT NULL);
CREATE UNIQUE INDEX condition_open ON condition (rule_id, object_id, signal) WHERE state = 'active';
CREATE UNIQUE INDEX condition_change_order ON condition (change);
CREATE INDEX condition_object ON condition (object_id, opened DESC);

CREATE TABLE receipt (
  receipt_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  command_id uuid NOT NULL, kind text NOT NULL CHECK (kind IN
    ('intent','sent','queued','radiated','acknowledged','rejected','failed','expired','unknown','readback','withdrawn',
     'waiting','kept')),
  time timestamptz NOT NULL, detail text NOT NULL DEFAULT '', recorded timestamptz NOT NULL DEFAULT now(),
  UNIQUE (command_id, kind, detail));
-- Answers of a network server name its queue item: the receipt tells which command that is.
CREATE INDEX receipt_queue_item ON receipt (detail) WHERE kind = 'queued';
-- What radio gateways have sent in the last hour: an intent says its time on air.
CREATE INDEX receipt_on_air ON receipt (time) WHERE kind = 'intent' AND detail <> '';

-- How long each class of data is kept (days, 0 = for ever), what is older has gone; written by ingest when it looks.
CREATE TABLE retention (
  class text PRIMARY KEY, days int NOT NULL, kept_from timestamptz, oldest timestamptz, bytes bigint NOT NULL,
  looked timestamptz NOT NULL DEFAULT now());
CREATE FUNCTION rollup_hour_parts() RETURNS TABLE (name text, since timestamptz, until timestamptz, bytes bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT c.relname::text, m.month AT TIME ZONE 'UTC', (m.month + interval '1 month') AT TIME ZONE 'UTC',
    pg_total_relation_size(c.oid)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL (SELECT to_date(right(c.relname, 6) || '01', 'YYYYMMDD')::timestamp AS month) m
  WHERE i.inhparent = 'rollup_hour'::regclass $$;
CREATE FUNCTION rollup_hour_drop(part text, before timestamptz) RETURNS bool
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
  old record;
BEGIN
  SELECT * INTO old FROM rollup_hour_parts() WHERE name = part AND until <= before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'hours have no part % that ends by %', part, before USING ERRCODE = '22023';
  END IF;
  LOCK TABLE ONLY rollup_hour IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM rollup_due WHERE hour >= old.since AND hour < old.until) THEN RETURN false; END IF;
  EXECUTE format('DROP TABLE %I', old.name);
  RETURN true;
END $$;
CREATE INDEX event_time ON event USING brin (time);

-- ---------------------------------------------------------------- radio (written by ingest only)
-- Which gateway of a radio network hears which device, over the last 30 days: moving means of RSSI in dBm and SNR in dB.
CREATE TABLE radio_link (
  device_id int NOT NULL, gateway text NOT NULL CHECK (length(gateway) BETWEEN 1 AND 64),
  first_heard timestamptz NOT NULL, last_heard timestamptz NOT NULL, frames bigint NOT NULL,
  rssi real NOT NULL, snr real NOT NULL, PRIMARY KEY (device_id, gateway));
CREATE INDEX radio_link_gateway ON radio_link (gateway);
-- One row a device: its frame counter, how it was heard last (by its best gateway), and frames heard and lost by day:
-- the day since 1970 stands at its remainder by 30. low_f_cnt: a counter below the highest, which may be the next one's start.
CREATE TABLE radio_device (
  device_id int PRIMARY KEY, arrived_ns bigint NOT NULL, last_heard timestamptz NOT NULL,
  session text NOT NULL, f_cnt bigint NOT NULL, low_f_cnt bigint, spreading int2 NOT NULL, rssi real, snr real,
  day int NOT NULL, frames int[] NOT NULL CHECK (cardinality(frames) = 30), lost int[] NOT NULL CHECK (cardinality(lost) = 30),
  month_frames int NOT NULL, month_lost int NOT NULL,  -- their sums
  resets int NOT NULL DEFAULT 0, replays int NOT NULL DEFAULT 0, last_reset timestamptz, last_replay timestamptz,
  frequency int NOT NULL DEFAULT 0,  -- of its last frame in Hz, 0 = not known
  -- margin: moving mean of dB above what the spreading factor needs, by the best gateway. weak: since when it is told of.
  margin real, weak timestamptz);
CREATE INDEX radio_device_weak ON radio_device (device_id) WHERE weak IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON radio_link, radio_device TO citynet_ingest;
GRANT SELECT ON radio_link, radio_device TO citynet_center, citynet_analytics, citynet_gateway;
-- Devices that a gateway hears, those that no other one hears, means of RSSI in dBm and SNR in dB, and the losses of the
-- devices that it hears best. Written by situation_center once a minute.
CREATE TABLE radio_gateway (
  gateway text PRIMARY KEY, devices int NOT NULL, alone int NOT NULL, rssi float8 NOT NULL, snr float8 NOT NULL,
  heard timestamptz NOT NULL, loss float8);
GRANT SELECT, INSERT, DELETE ON radio_gateway TO citynet_center;

-- Medians of a battery by day (the day since 1970 at its remainder by 60) and how many days are left to 10 %; NULL where it
-- does not fall or too little is known. change: the newest value that was seen. Written by situation_center.
CREATE TABLE battery (
  series_id int PRIMARY KEY REFERENCES series, day int NOT NULL, levels real[] NOT NULL CHECK (cardinality(levels) = 60),
  days float8, change bigint NOT NULL, computed timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT, UPDATE ON battery TO citynet_center;

-- ---------------------------------------------------------------- analytics: its own schema, one transaction per checkpoint
-- epoch counts the owners of a partition: only the last one saves. outages: its objects that are out of work.
CREATE TABLE analytics.checkpoint (
  partition int PRIMARY KEY, applied_seq bigint NOT NULL, hist_seq bigint NOT NULL,
  state bytea NOT NULL, saved timestamptz NOT NULL DEFAULT now(),
  epoch bigint NOT NULL DEFAULT 0, outages int[] NOT NULL DEFAULT '{}');
-- What detectors learned, in pieces: only those that changed are written with a checkpoint.
CREATE TABLE analytics.chunk (
  partition int NOT NULL, name text NOT NULL, body bytea NOT NULL, PRIMARY KEY (partition, name));
CREATE TABLE analytics.outbox (
  outbox_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  subject text NOT NULL, msg_id text NOT NULL UNIQUE, payload bytea NOT NULL, partition int NOT NULL DEFAULT 0);

-- ---------------------------------------------------------------- people and work (written by situation_center only)
CREATE TABLE account (
  account_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  login text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{1,62}$'), title text NOT NULL DEFAULT '',
  password_hash text, role text NOT NULL CHECK (role IN
    ('operator','senior_operator','utility_dispatcher','brigade','executive','administrator')),
  org_id int REFERENCES object, services text[] NOT NULL DEFAULT '{}', zone_ids int[] NOT NULL DEFAULT '{}',
  language text NOT NULL DEFAULT 'ru' CHECK (language IN ('ru','en')),
  theme text NOT NULL DEFAULT 'dark' CHECK (theme IN ('dark','light')), active bool NOT NULL DEFAULT true);
CREATE TABLE session (
  token_hash bytea PRIMARY KEY, account_id int NOT NULL REFERENCES account,
  created timestamptz NOT NULL DEFAULT now(), last_seen timestamptz NOT NULL DEFAULT now(),
  expires timestamptz NOT NULL, client text NOT NULL DEFAULT '');
CREATE TABLE signin_link (
  token_hash bytea PRIMARY KEY, account_id int NOT NULL REFERENCES account,
  expires timestamptz NOT NULL, used timestamptz);
CREATE TABLE api_key (
  key_hash bytea PRIMARY KEY, account_id int NOT NULL REFERENCES account, label text NOT NULL,
  created timestamptz NOT NULL DEFAULT now(), expires timestamptz);

CREATE TABLE audit (
  audit_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL, action text NOT NULL, object text NOT NULL DEFAULT '', detail jsonb NOT NULL DEFAULT '{}');
CREATE INDEX audit_at ON audit (at DESC);

CREATE SEQUENCE incident_change;
CREATE TABLE incident (
  incident_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  type text NOT NULL, object_id int NOT NULL REFERENCES object, service text, org_id int REFERENCES object,
  zone_ids int[] NOT NULL DEFAULT '{}',
  severity text NOT NULL, priority int NOT NULL CHECK (priority BETWEEN 1 AND 4),
  state text NOT NULL CHECK (state IN ('new','acknowledged','dispatched','in_progress','restored','resolved',
    'verified','closed','merged','false_alarm')),
  condition_active bool NOT NULL DEFAULT true, owner_id int REFERENCES account, merged_into bigint REFERENCES incident,
  title_ru text NOT NULL, title_en text NOT NULL, why_ru text NOT NULL, why_en text NOT NULL,
  action_ru text NOT NULL DEFAULT '', action_en text NOT NULL DEFAULT '',
  opened timestamptz NOT NULL, acknowledged timestamptz, resolved timestamptz, closed timestamptz,
  deadline timestamptz, deadline_kind text, count int NOT NULL DEFAULT 1,
  version int NOT NULL DEFAULT 1, change bigint NOT NULL);
CREATE UNIQUE INDEX incident_change_order ON incident (change);
CREATE INDEX incident_open ON incident (state) WHERE state NOT IN ('closed','merged','false_alarm');
CREATE TABLE incident_condition (
  condition_id bigint PRIMARY KEY, incident_id bigint NOT NULL REFERENCES incident, merged_by text NOT NULL DEFAULT '');
CREATE INDEX incident_condition_incident ON incident_condition (incident_id);
CREATE TABLE condition_seen (condition_id bigint PRIMARY KEY, change bigint NOT NULL);
CREATE TABLE incident_log (
  log_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, incident_id bigint NOT NULL REFERENCES incident,
  at timestamptz NOT NULL, actor text NOT NULL, action text NOT NULL, text text NOT NULL DEFAULT '',
  detail jsonb NOT NULL DEFAULT '{}');
CREATE INDEX incident_log_incident ON incident_log (incident_id, log_id);

-- A command to many devices: their commands go out in waves.
CREATE TABLE command_group (
  group_id uuid PRIMARY KEY, idempotency_key text NOT NULL UNIQUE, chosen jsonb NOT NULL,
  action text NOT NULL, args jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('requested','running','stopped','cancelled','finished')),
  waves int NOT NULL, wave int NOT NULL DEFAULT 0, pause_s int NOT NULL, stop_share float8 NOT NULL,
  next_at timestamptz NOT NULL, requested_by text NOT NULL, requested timestamptz NOT NULL, finished timestamptz,
  why text NOT NULL DEFAULT '', undoes uuid REFERENCES command_group);
CREATE INDEX command_group_running ON command_group (requested) WHERE state IN ('running', 'requested');
GRANT SELECT, INSERT, UPDATE ON command_group TO citynet_center;

CREATE SEQUENCE command_change;
CREATE TABLE command (
  command_id uuid PRIMARY KEY DEFAULT uuidv7(), idempotency_key text UNIQUE,
  object_id int NOT NULL REFERENCES object, device_id int NOT NULL REFERENCES object, incident_id bigint REFERENCES incident,
  action text NOT NULL, args jsonb NOT NULL DEFAULT '{}', group_id uuid,
  state text NOT NULL CHECK (state IN ('requested','approved','queued','sent','acknowledged','confirmed','rejected',
    'failed','expired','superseded','cancelled','unknown','unknown_final')),
  requested_by text NOT NULL, requested timestamptz NOT NULL, deadline timestamptz NOT NULL,
  sent timestamptz, finished timestamptz, detail text NOT NULL DEFAULT '',
  version int NOT NULL DEFAULT 1, change bigint NOT NULL,
  before float8, undoes uuid REFERENCES command, cancel_asked text NOT NULL DEFAULT '', wave int NOT NULL DEFAULT 0);
CREATE INDEX command_group_id ON command (group_id, wave) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX command_change_order ON command (change);
CREATE INDEX command_open ON command (state) WHERE state IN
  ('requested','approved','queued','sent','acknowledged','unknown');
CREATE INDEX command_object ON command (object_id, requested DESC);
CREATE TABLE command_log (
  log_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, command_id uuid NOT NULL REFERENCES command,
  at timestamptz NOT NULL, actor text NOT NULL, state text NOT NULL, detail text NOT NULL DEFAULT '');
CREATE INDEX command_log_command ON command_log (command_id, log_id);
-- What telemetry must show before a command counts as confirmed; ingest answers with a readback receipt.
CREATE TABLE expectation (
  command_id uuid NOT NULL REFERENCES command, series_id int NOT NULL REFERENCES series,
  compare text NOT NULL CHECK (compare IN ('eq','le','ge')), target float8 NOT NULL, tolerance float8 NOT NULL,
  since timestamptz NOT NULL, until timestamptz NOT NULL, late_until timestamptz NOT NULL,
  PRIMARY KEY (command_id, series_id));
CREATE INDEX expectation_late_until ON expectation (late_until);

CREATE TABLE webhook (
  webhook_id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  org_id int REFERENCES object, services text[] NOT NULL DEFAULT '{}', url text NOT NULL,
  secret bytea NOT NULL, active bool NOT NULL DEFAULT true, created timestamptz NOT NULL DEFAULT now());
CREATE TABLE webhook_delivery (
  delivery_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, uid uuid NOT NULL UNIQUE DEFAULT uuidv7(),
  webhook_id int NOT NULL REFERENCES webhook, incident_id bigint NOT NULL REFERENCES incident,
  body bytea NOT NULL, state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting','delivered','failed')),
  attempts int NOT NULL DEFAULT 0, next_at timestamptz NOT NULL DEFAULT now(), last_status int,
  last_error text NOT NULL DEFAULT '', delivered timestamptz);
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE state = 'waiting';

-- Messages of the situation centre leave in the transaction that caused them.
CREATE TABLE outbox (
  outbox_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  subject text NOT NULL, msg_id text NOT NULL UNIQUE, payload bytea NOT NULL, taken bool NOT NULL DEFAULT false);
GRANT UPDATE ON outbox TO citynet_center;

-- ---------------------------------------------------------------- readings as the situation centre asks for them
-- It has no right on readings and roll-ups, only these functions, and each takes what whoever asks may know: services and
-- zones, empty = all, as access.allowed() has it (decision 0048).
CREATE FUNCTION series_permitted(ids int[], services text[], zones int[]) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  SELECT s.series_id FROM series s JOIN object_now o USING (object_id)
  WHERE s.series_id = ANY(ids) AND (services = '{}' OR o.service IS NULL OR o.service = ANY(services))
    AND (zones = '{}' OR o.zone_ids = '{}' OR o.zone_ids && zones) ORDER BY s.series_id $$;

-- An object, what lies in it where it is a zone, and all that hangs below those; NULL = the city.
CREATE FUNCTION objects_within(place int) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE tree AS (
    SELECT object_id FROM object_now WHERE place IS NULL OR object_id = place
    UNION SELECT object_id FROM object_now WHERE zone_ids @> ARRAY[place]
    UNION SELECT o.object_id FROM tree t JOIN object_now o ON o.parent_id = t.object_id WHERE place IS NOT NULL)
  SELECT object_id FROM tree $$;

CREATE FUNCTION series_within(place int, quantities text[], services text[], zones int[]) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
  SELECT s.series_id FROM series s JOIN object_now o USING (object_id)
  WHERE (quantities = '{}' OR s.quantity = ANY(quantities))
    AND (place IS NULL OR o.object_id IN (SELECT objects_within(place)))
    AND (services = '{}' OR o.service IS NULL OR o.service = ANY(services))
    AND (zones = '{}' OR o.zone_ids = '{}' OR o.zone_ids && zones) ORDER BY s.series_id $$;

-- Readings in [since, until), series by series in order of time, at most so many; of the first series only those after a
-- moment, so that a long window is read in pieces. known: corrections recorded until then count, -infinity = as received.
CREATE FUNCTION readings_of(ids int[], since timestamptz, until timestamptz, after timestamptz, most int,
  known timestamptz, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, received timestamptz, value float8, quality int2, version int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later timestamptz;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    IF EXISTS (SELECT FROM reading_edit e WHERE e.series_id = one AND e.time >= since AND e.time < until AND e.at <= known) THEN
      RETURN QUERY SELECT r.series_id, r.time, r.received, coalesce(e.value, r.value),
          CASE WHEN e.quality IS NULL THEN r.quality ELSE (r.quality & 56::int2 | e.quality)::int2 END, coalesce(e.version, 0)
        FROM reading r LEFT JOIN LATERAL (
          SELECT e.value, e.quality, e.version FROM reading_edit e
          WHERE e.series_id = one AND e.time = r.time AND e.at <= known ORDER BY e.version DESC LIMIT 1) e ON true
        WHERE r.series_id = one AND r.time >= since AND r.time < until AND r.time > later ORDER BY r.time LIMIT wanted;
    ELSE
      RETURN QUERY SELECT r.series_id, r.time, r.received, r.value, r.quality, 0 FROM reading r
        WHERE r.series_id = one AND r.time >= since AND r.time < until AND r.time > later ORDER BY r.time LIMIT wanted;
    END IF;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

CREATE FUNCTION hours_of(ids int[], since timestamptz, until timestamptz, after timestamptz, most int,
  services text[], zones int[])
RETURNS TABLE (series_id int, start timestamptz, n int, good int, low float8, high float8, total float8, first float8,
  last float8, used float8, marks int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later timestamptz;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    RETURN QUERY SELECT h.series_id, h.hour, h.n, h.good, h.low, h.high, h.total, h.first, h.last, h.used, h.marks
      FROM rollup_hour h
      WHERE h.series_id = one AND h.hour >= since AND h.hour < until AND h.hour > later ORDER BY h.hour LIMIT wanted;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

CREATE FUNCTION days_of(ids int[], since date, until date, after date, most int, services text[], zones int[])
RETURNS TABLE (series_id int, start date, n int, good int, low float8, high float8, total float8, first float8,
  last float8, used float8, marks int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  one int;
  later date;
  wanted int := most;
  got int;
BEGIN
  FOR one IN SELECT p FROM series_permitted(ids, services, zones) AS p LOOP
    later := CASE WHEN one = ids[1] THEN coalesce(after, '-infinity') ELSE '-infinity' END;
    RETURN QUERY SELECT d.series_id, d.day, d.n, d.good, d.low, d.high, d.total, d.first, d.last, d.used, d.marks
      FROM rollup_day d
      WHERE d.series_id = one AND d.day >= since AND d.day < until AND d.day > later ORDER BY d.day LIMIT wanted;
    GET DIAGNOSTICS got = ROW_COUNT;
    wanted := wanted - got;
    EXIT WHEN wanted <= 0;
  END LOOP;
END $$;

-- How many readings, and days with any, series of a place have in local days by their roll-ups; ids NULL = all of the place.
CREATE FUNCTION rows_counted(place int, ids int[], quantities text[], since date, until date, services text[], zones int[])
RETURNS TABLE (readings bigint, days bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce(sum(d.n), 0)::bigint, count(*) FROM series_within(place, quantities, services, zones) AS p
  JOIN rollup_day d ON d.series_id = p WHERE (ids IS NULL OR p = ANY(ids)) AND d.day >= since AND d.day < until $$;

-- Every version of corrected readings; 0 is what was received.
CREATE FUNCTION versions_of(ids int[], since timestamptz, until timestamptz, most int, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, version int, value float8, quality int2, who text, at timestamptz,
  why text, codec_version text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH edits AS (
    SELECT e.* FROM series_permitted(ids, services, zones) AS p JOIN reading_edit e ON e.series_id = p
    WHERE e.time >= since AND e.time < until)
  SELECT series_id, time, version, value, quality, who, at, why, codec_version FROM edits
  UNION ALL
  SELECT r.series_id, r.time, 0, r.value, r.quality, '', r.received, '', NULL
  FROM (SELECT DISTINCT series_id, time FROM edits) e CROSS JOIN LATERAL (
    SELECT * FROM reading r WHERE r.series_id = e.series_id AND r.time = e.time LIMIT 1) r
  ORDER BY series_id, time, version LIMIT most $$;

-- What series of a place say together, by local days. mean: each series counts alike; used: of how many registers, whole: of
-- how many for the whole day.
CREATE FUNCTION day_totals(place int, quantities text[], since date, until date, services text[], zones int[])
RETURNS TABLE (start date, series int, low float8, high float8, mean float8, used float8, registers int, whole int, marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT d.day, count(*) FILTER (WHERE d.n > 0)::int, min(d.low), max(d.high), avg(d.total / nullif(d.good, 0)), sum(d.used),
    count(d.used)::int, count(d.used) FILTER (WHERE d.marks & 2 = 0)::int, bit_or(d.marks)
  FROM series_within(place, quantities, services, zones) AS p JOIN rollup_day d ON d.series_id = p
  WHERE d.day >= since AND d.day < until GROUP BY d.day ORDER BY d.day $$;

CREATE FUNCTION hour_totals(place int, quantities text[], since timestamptz, until timestamptz, services text[], zones int[])
RETURNS TABLE (start timestamptz, series int, low float8, high float8, mean float8, used float8, registers int, whole int,
  marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT h.hour, count(*) FILTER (WHERE h.n > 0)::int, min(h.low), max(h.high), avg(h.total / nullif(h.good, 0)), sum(h.used),
    count(h.used)::int, count(h.used) FILTER (WHERE h.marks & 2 = 0)::int, bit_or(h.marks)
  FROM series_within(place, quantities, services, zones) AS p JOIN rollup_hour h ON h.series_id = p
  WHERE h.hour >= since AND h.hour < until GROUP BY h.hour ORDER BY h.hour $$;

-- Months that begin on a day of theirs; a register without a figure for each day of them is there in part (2).
CREATE FUNCTION month_totals(place int, quantities text[], since date, until date, begins int, services text[], zones int[])
RETURNS TABLE (start date, series int, low float8, high float8, mean float8, used float8, registers int, whole int, marks int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH days AS (
    SELECT d.*, (date_trunc('month', d.day - begins + 1) + make_interval(days => begins - 1))::date AS start
    FROM series_within(place, quantities, services, zones) AS p JOIN rollup_day d ON d.series_id = p
    WHERE d.day >= since AND d.day < until),
  months AS (
    SELECT start, sum(n) AS n, min(low) AS low, max(high) AS high, sum(total) / nullif(sum(good), 0) AS mean, sum(used) AS used,
      (bit_or(marks) | CASE WHEN count(used) > 0 AND count(used) < (start + interval '1 month')::date - start THEN 2 ELSE 0 END)::int2
        AS marks
    FROM days GROUP BY series_id, start)
  SELECT start, count(*) FILTER (WHERE n > 0)::int, min(low), max(high), avg(mean), sum(used), count(used)::int,
    count(used) FILTER (WHERE marks & 2 = 0)::int, bit_or(marks)
  FROM months GROUP BY start ORDER BY start $$;

-- When a place was first heard since a moment.
CREATE FUNCTION first_heard(place int, since timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT min(r.received) FROM series x CROSS JOIN LATERAL (
    SELECT received FROM reading WHERE series_id = x.series_id AND time >= since ORDER BY time LIMIT 1) r
  WHERE x.object_id = place $$;

-- How many corrections somebody's request has made.
CREATE FUNCTION edits_made(since timestamptz, reason text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT count(*) FROM reading_edit WHERE at >= since AND why = reason $$;

-- Newest readings at a moment, as they were received until another (city): one snapshot and what was read from then on.
-- What came later than the snapshot for a time before it counts too, up to a week of lateness; a quarter of an hour is
-- what a reading may need from its arrival to the database. Few series are looked up one by one, and so is everything
-- from before the first snapshot.
CREATE FUNCTION readings_at(ids int[], moment timestamptz, known timestamptz)
RETURNS TABLE (series_id int, "time" timestamptz, value float8, quality int2)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  base timestamptz;
BEGIN
  IF ids IS NULL OR cardinality(ids) > 200 THEN
    SELECT s.at INTO base FROM newest_snapshot s WHERE s.at <= moment AND s.taken <= known ORDER BY s.at DESC LIMIT 1;
  END IF;
  IF base IS NULL THEN
    RETURN QUERY SELECT s.series_id, r.time, r.value, r.quality FROM series s CROSS JOIN LATERAL (
        SELECT r.time, r.value, r.quality FROM reading r
        WHERE r.series_id = s.series_id AND r.time <= moment AND r.received <= known ORDER BY r.time DESC LIMIT 1) r
      WHERE ids IS NULL OR s.series_id = ANY(ids);
    RETURN;
  END IF;
  RETURN QUERY WITH snapshot AS MATERIALIZED (
      SELECT u.* FROM newest_snapshot s CROSS JOIN LATERAL unnest(s.series, s.time, s.value, s.quality)
        AS u (series_id, time, value, quality) WHERE s.at = base),
    later AS (
      SELECT DISTINCT ON (r.series_id) r.series_id, r.time, r.value, r.quality FROM (
        SELECT r.series_id, r.time, r.value, r.quality FROM reading r
        WHERE r.time > base AND r.time <= moment AND r.received <= known
        UNION ALL
        SELECT r.series_id, r.time, r.value, r.quality FROM reading r
        WHERE r.time > base - interval '7 days' AND r.time <= base AND r.received > base - interval '15 minutes'
          AND r.received <= known) r
      LEFT JOIN snapshot s USING (series_id) WHERE s.time IS NULL OR r.time > s.time
      ORDER BY r.series_id, r.time DESC)
    SELECT series_id, coalesce(l.time, s.time), coalesce(l.value, s.value), coalesce(l.quality, s.quality)
    FROM snapshot s FULL JOIN later l USING (series_id);
END $$;

-- The same with corrections, for whoever asks. known: wall time, as of the registry; corrections until then count.
CREATE FUNCTION newest_at(ids int[], moment timestamptz, known timestamptz, services text[], zones int[])
RETURNS TABLE (series_id int, "time" timestamptz, value float8, quality int2)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT p, a.time, coalesce(e.value, a.value),
    CASE WHEN e.quality IS NULL THEN a.quality ELSE (a.quality & 56::int2 | e.quality)::int2 END
  FROM series_permitted(ids, services, zones) AS p
  JOIN readings_at(ids, moment, CASE WHEN known = 'infinity' THEN known
    ELSE coalesce((SELECT origin + (known - wall_origin) * speed FROM city_clock), known) END) a ON a.series_id = p
  LEFT JOIN LATERAL (
    SELECT e.value, e.quality FROM reading_edit e WHERE e.series_id = p AND e.time = a.time AND e.at <= known
    ORDER BY e.version DESC LIMIT 1) e ON true $$;

-- ---------------------------------------------------------------- rights of the parts
GRANT SELECT ON schema_version, city_clock, setting, object, object_version, object_now, device_point, profile, series, rule
  TO citynet_gateway, citynet_ingest, citynet_analytics, citynet_center;
GRANT SELECT ON codec TO citynet_gateway, citynet_ingest, citynet_analytics, citynet_center;
GRANT INSERT ON codec TO citynet_center;
GRANT SELECT ON command, expectation, receipt TO citynet_gateway, citynet_ingest;
GRANT SELECT ON device_credential_now TO citynet_gateway, citynet_center, citynet_identity;
GRANT SELECT ON city_clock, device_sign_in_ended TO citynet_identity;
GRANT SELECT, INSERT, UPDATE ON device_credential TO citynet_center;
GRANT SELECT, INSERT, UPDATE ON newest, condition, event, receipt, quarantine, reading, reading_edit TO citynet_ingest;
GRANT SELECT, INSERT, DELETE ON frame_block TO citynet_ingest;
GRANT SELECT ON frame_block TO citynet_gateway;
GRANT USAGE ON SEQUENCE newest_change, condition_change TO citynet_ingest;
GRANT SELECT ON reading, reading_edit, reading_newest, newest, event, condition TO citynet_analytics;
GRANT USAGE ON SCHEMA analytics TO citynet_analytics;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA analytics TO citynet_analytics;
GRANT SELECT ON newest, event, condition, receipt, quarantine TO citynet_center;
GRANT SELECT, INSERT, UPDATE ON object, object_version, device_point, profile, series, rule, city_clock, setting,
  account, session, signin_link, api_key, incident, incident_condition, condition_seen, command, expectation,
  webhook, webhook_delivery TO citynet_center;
GRANT SELECT, INSERT ON audit, incident_log, command_log TO citynet_center;
GRANT SELECT, INSERT, UPDATE, DELETE ON registry_import, registry_reject TO citynet_center;
GRANT SELECT, INSERT ON object_class TO citynet_center;
GRANT SELECT, INSERT, UPDATE ON address, object_merge TO citynet_center;
GRANT SELECT, INSERT, UPDATE, DELETE ON registry_line TO citynet_center;
GRANT SELECT ON registry_line_now TO citynet_center;
GRANT SELECT, INSERT ON device_swap, device_swap_register TO citynet_center;
GRANT SELECT ON device_swap, device_swap_register TO citynet_ingest, citynet_analytics;
GRANT MAINTAIN ON object, object_version, device_point, series, registry_line TO citynet_center;
GRANT SELECT, INSERT, DELETE ON outbox TO citynet_center;
GRANT DELETE ON session, signin_link TO citynet_center;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO citynet_center;
REVOKE ALL ON FUNCTION rollup_partition_ensure(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_partition_ensure(timestamptz) TO citynet_ingest;
GRANT SELECT, INSERT, UPDATE ON rollup_hour, rollup_day TO citynet_ingest;
GRANT SELECT, INSERT, DELETE ON rollup_due TO citynet_ingest;
GRANT SELECT ON rollup_due TO citynet_center;
GRANT SELECT ON reading_newest TO citynet_ingest;
GRANT SELECT ON rollup_hour, rollup_day, rollup_month TO citynet_analytics, citynet_ingest;
REVOKE ALL ON FUNCTION readings_of(int[], timestamptz, timestamptz, timestamptz, int, timestamptz, text[], int[]),
  hours_of(int[], timestamptz, timestamptz, timestamptz, int, text[], int[]),
  days_of(int[], date, date, date, int, text[], int[]),
  rows_counted(int, int[], text[], date, date, text[], int[]),
  versions_of(int[], timestamptz, timestamptz, int, text[], int[]),
  day_totals(int, text[], date, date, text[], int[]),
  hour_totals(int, text[], timestamptz, timestamptz, text[], int[]),
  month_totals(int, text[], date, date, int, text[], int[]),
  first_heard(int, timestamptz),
  edits_made(timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings_of(int[], timestamptz, timestamptz, timestamptz, int, timestamptz, text[], int[]),
  hours_of(int[], timestamptz, timestamptz, timestamptz, int, text[], int[]),
  days_of(int[], date, date, date, int, text[], int[]),
  rows_counted(int, int[], text[], date, date, text[], int[]),
  versions_of(int[], timestamptz, timestamptz, int, text[], int[]),
  day_totals(int, text[], date, date, text[], int[]),
  hour_totals(int, text[], timestamptz, timestamptz, text[], int[]),
  month_totals(int, text[], date, date, int, text[], int[]),
  first_heard(int, timestamptz),
  edits_made(timestamptz, text) TO citynet_center;
REVOKE ALL ON FUNCTION readings_at(int[], timestamptz, timestamptz), newest_at(int[], timestamptz, timestamptz, text[], int[])
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings_at(int[], timestamptz, timestamptz) TO citynet_ingest;
GRANT EXECUTE ON FUNCTION newest_at(int[], timestamptz, timestamptz, text[], int[]) TO citynet_center;
GRANT SELECT, INSERT, DELETE ON newest_snapshot TO citynet_ingest;
REVOKE ALL ON FUNCTION rollup_hour_parts(), rollup_hour_drop(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_hour_parts(), rollup_hour_drop(text, timestamptz) TO citynet_ingest;
GRANT SELECT, INSERT, UPDATE ON retention TO citynet_ingest;
GRANT SELECT ON retention TO citynet_center;
GRANT DELETE ON quarantine, event, rollup_day TO citynet_ingest;
GRANT INSERT ON audit TO citynet_ingest;
