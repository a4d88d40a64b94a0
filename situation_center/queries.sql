-- city_now: city time; wall time where no city clock is set.
SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS now

-- add_outbox: a message that leaves when this transaction is committed.
INSERT INTO outbox (subject, msg_id, payload) VALUES (%s, %s, %s)

-- account_by_login: an account that may sign in.
SELECT * FROM account WHERE login = %s AND active

-- account_by_id: an account that may sign in.
SELECT * FROM account WHERE account_id = %s AND active

-- add_account: nothing when the login is taken.
INSERT INTO account (login, title, password_hash, role, services, org_id, language)
VALUES (%(login)s, %(title)s, %(hash)s, %(role)s, %(services)s,
  (SELECT object_id FROM object WHERE key = %(org)s AND class = 'organisation'), %(language)s)
ON CONFLICT (login) DO NOTHING RETURNING account_id

-- set_preferences: what a person likes.
UPDATE account SET language = coalesce(%(language)s, language), theme = coalesce(%(theme)s, theme)
WHERE account_id = %(account_id)s

-- set_password: a new hash.
UPDATE account SET password_hash = %(hash)s WHERE account_id = %(account_id)s

-- add_link: a one-time sign-in.
INSERT INTO signin_link (token_hash, account_id, expires)
SELECT %(hash)s, account_id, now() + make_interval(mins => %(minutes)s) FROM account WHERE login = %(login)s AND active

-- use_link: only one caller gets the row.
UPDATE signin_link SET used = now() WHERE token_hash = %s AND used IS NULL AND expires > now() RETURNING account_id

-- add_session: a signed-in browser.
INSERT INTO session (token_hash, account_id, expires, client)
VALUES (%(hash)s, %(account_id)s, now() + make_interval(hours => %(hours)s), %(client)s)

-- session: who holds it; touch = last_seen is worth writing again.
SELECT a.*, s.last_seen < now() - interval '30 seconds' AS touch
FROM session s JOIN account a USING (account_id)
WHERE s.token_hash = %(hash)s AND s.expires > now() AND a.active
  AND s.last_seen > now() - make_interval(mins => %(idle_minutes)s)

-- touch_session: still there.
UPDATE session SET last_seen = now() WHERE token_hash = %s

-- drop_session: signed out.
DELETE FROM session WHERE token_hash = %s

-- drop_sessions: all of a person.
DELETE FROM session WHERE account_id = %s

-- drop_old_sessions: nobody can use them any more.
DELETE FROM session WHERE expires < now() OR last_seen < now() - make_interval(mins => %(idle_minutes)s)

-- add_key: an API key.
INSERT INTO api_key (key_hash, account_id, label, expires)
SELECT %(hash)s, account_id, %(label)s, %(expires)s FROM account WHERE login = %(login)s AND active

-- api_key: who holds it.
SELECT a.* FROM api_key k JOIN account a USING (account_id)
WHERE k.key_hash = %s AND a.active AND (k.expires IS NULL OR k.expires > now())

-- take_outbox: the oldest messages for the bus, marked before they leave: what is not marked has never left.
UPDATE outbox SET taken = true WHERE outbox_id IN (
  SELECT outbox_id FROM outbox WHERE subject <> %(notice)s ORDER BY outbox_id LIMIT %(batch)s) RETURNING *

-- drop_outbox: messages that the broker has stored.
DELETE FROM outbox WHERE outbox_id = ANY(%s)

-- take_notices: changes of incidents that the reactions have not heard of.
DELETE FROM outbox WHERE outbox_id IN (
  SELECT outbox_id FROM outbox WHERE subject = %(notice)s ORDER BY outbox_id LIMIT %(batch)s) RETURNING *

-- find_object: an object by id, UUID or key; what was merged into another leads there.
SELECT object_id, service, org_id, zone_ids FROM object_now
WHERE class <> 'device' AND object_id = (
  SELECT coalesce(merged_into, object_id) FROM object WHERE object_id = %(id)s OR uid = %(uid)s OR key = %(key)s LIMIT 1)

-- devices: devices with their points, by id.
SELECT d.object_id AS device_id, d.attributes->>'external_id' AS external_id, d.attributes->>'protocol' AS protocol,
  d.attributes->>'profile' AS profile, o.object_id, o.key AS object_key, d.service
FROM object_now d LEFT JOIN device_point dp ON dp.device_id = d.object_id AND dp.valid_to = 'infinity'
LEFT JOIN object_now o ON o.object_id = dp.object_id
WHERE d.class = 'device' AND d.object_id > %(after)s
  AND (%(external_id)s::text IS NULL OR d.key = 'device/' || %(external_id)s)
  AND (%(services)s::text[] = '{}' OR d.service IS NULL OR d.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR d.zone_ids = '{}' OR d.zone_ids && %(zones)s::int[])
ORDER BY d.object_id LIMIT %(limit)s

-- replayable: how many frames of the quarantine a request names, and the moment at which it is made.
SELECT count(DISTINCT (stream, stream_seq)) AS frames, clock_timestamp() AS now FROM quarantine
WHERE replayed IS NULL AND stage = 'gateway' AND stream IN ('UPLINKS', 'HISTORY')
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(ids)s::bigint[] = '{}' OR quarantine_id = ANY(%(ids)s))
  AND (%(external_id)s = '' OR external_id = %(external_id)s) AND (%(reason)s = '' OR reason = %(reason)s)

-- quarantine_rows: the newest rows that fit, for the command line.
SELECT quarantine_id, at, arrived, stage, reason, detail, subject, external_id, length(payload) AS size,
  replayed, replayed_by, replay_of
FROM quarantine
WHERE (%(reason)s = '' OR reason = %(reason)s) AND (%(external_id)s = '' OR external_id = %(external_id)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
ORDER BY quarantine_id DESC LIMIT %(limit)s

-- quarantine_row: one row with its bytes.
SELECT quarantine_id, at, arrived, stage, reason, detail, subject, external_id, stream, stream_seq,
  replayed, replayed_by, replay_of, payload
FROM quarantine WHERE quarantine_id = %s

-- set_sign_in: whether devices can sign in; an absence that is known already keeps its beginning.
INSERT INTO setting (name, value) VALUES ('sign_in', %(value)s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE (setting.value->>'away_since' IS NULL) <> (excluded.value->>'away_since' IS NULL)

-- audit_refusals: what ingest has set aside as refused at sign-in since the last look, as rows of the audit
WITH last AS (
  SELECT coalesce((SELECT (value->>'id')::bigint FROM setting WHERE name = 'sign_in_audited'), 0) AS id),
fresh AS (
  SELECT q.quarantine_id, q.stage, q.reason, q.external_id, q.detail FROM quarantine q, last
  WHERE q.quarantine_id > last.id ORDER BY q.quarantine_id LIMIT %(batch)s),
told AS (
  INSERT INTO audit (actor, action, object, detail)
  SELECT 'part:identity', 'sign_in.refused', 'device/' || external_id,
    jsonb_build_object('reason', reason, 'detail', detail, 'quarantine', quarantine_id)
  FROM fresh WHERE stage = 'sign_in' ORDER BY quarantine_id),
kept AS (
  INSERT INTO setting (name, value)
  SELECT 'sign_in_audited', jsonb_build_object('id', max(quarantine_id)) FROM fresh HAVING count(*) > 0
  ON CONFLICT (name) DO UPDATE SET value = excluded.value)
SELECT count(*)::int AS seen FROM fresh
