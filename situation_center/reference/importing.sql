-- rows: what a file says, for this transaction only.
CREATE TEMPORARY TABLE import_row (line int NOT NULL, key text NOT NULL, class text NOT NULL, external_id text NOT NULL,
  profile text NOT NULL, radio bool NOT NULL, named bool NOT NULL, area bool NOT NULL, org text, parent text, body bytea NOT NULL) ON COMMIT DROP

-- copy_rows: the rows of a chunk.
COPY import_row FROM STDIN

-- index_rows: for the checks of the whole.
CREATE INDEX import_row_key ON import_row (key)

-- index_order: for the way through it.
CREATE INDEX import_row_order ON import_row ((NOT area), line)

-- analyze_rows: so that the planner knows how many they are.
ANALYZE import_row

-- copy_rejects: faults that the file shows by itself.
COPY registry_reject (import_id, line, name, reason, value) FROM STDIN

-- same_key: a key stands in the file twice.
INSERT INTO registry_reject SELECT %(id)s, line, 'key', 'duplicate_key', key || ' = ' || first::text FROM (
  SELECT line, key, min(line) OVER (PARTITION BY key) AS first FROM import_row) r WHERE line > first

-- same_eui: a device stands in the file twice.
INSERT INTO registry_reject SELECT %(id)s, line, 'external_id', 'duplicate_eui', external_id || ' = ' || first::text FROM (
  SELECT line, external_id, min(line) OVER (PARTITION BY external_id) AS first FROM import_row WHERE external_id <> '') r
WHERE line > first

-- other_class: the registry knows the key as something else.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'class', 'class_changed', o.class || ' -> ' || r.class
FROM import_row r JOIN object o ON o.key = r.key WHERE r.class <> '' AND o.class <> r.class

-- merged: the key belongs to another object by now.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'key', 'merged_key', r.key || ' -> ' || m.key
FROM import_row r JOIN object o ON o.key = r.key JOIN object m ON m.object_id = o.merged_into

-- no_class: a new object without a class.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'class', 'missing_class', r.key FROM import_row r
WHERE r.class = '' AND NOT EXISTS (SELECT FROM object o WHERE o.key = r.key)

-- no_name: a new object without a name.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'name_ru', 'missing_name', r.key FROM import_row r
WHERE NOT r.named AND NOT EXISTS (SELECT FROM object_now o WHERE o.key = r.key)

-- no_profile: a new device without a profile.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'profile', 'missing_profile', r.external_id FROM import_row r
WHERE r.external_id <> '' AND r.profile = '' AND NOT EXISTS (SELECT FROM object o WHERE o.key = 'device/' || r.external_id)
  AND NOT EXISTS (SELECT FROM registry_reject x WHERE x.import_id = %(id)s AND x.line = r.line AND x.name = 'profile')

-- no_eui: a new device of a LoRaWAN network without an EUI.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'external_id', 'bad_eui', r.external_id FROM import_row r
WHERE r.radio AND r.external_id !~ '^[0-9a-f]{16}$' AND NOT EXISTS (
  SELECT FROM object o WHERE o.key = 'device/' || r.external_id)

-- eui_elsewhere: the device is on another object now.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'external_id', 'eui_elsewhere', r.external_id || ' -> ' || p.key
FROM import_row r JOIN object d ON d.key = 'device/' || r.external_id
JOIN device_point dp ON dp.device_id = d.object_id AND dp.valid_to = 'infinity' JOIN object p ON p.object_id = dp.object_id
WHERE r.external_id <> '' AND p.key <> r.key AND r.key <> d.key

-- other_device: the object has another device now.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'external_id', 'other_device', r.external_id || ' <> ' || substr(d.key, 8)
FROM import_row r JOIN object o ON o.key = r.key
JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity' JOIN object d ON d.object_id = dp.device_id
WHERE r.external_id <> '' AND d.key <> 'device/' || r.external_id AND r.key NOT LIKE 'device/%%'

-- no_org: the organisation is neither in the registry nor in the file.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'org', 'unknown_org', r.org FROM import_row r
WHERE r.org IS NOT NULL AND NOT EXISTS (SELECT FROM object o WHERE o.key = r.org AND o.class = 'organisation')
  AND NOT EXISTS (SELECT FROM import_row x WHERE x.key = r.org AND x.class = 'organisation')

-- no_parent: the parent is neither in the registry nor in the file.
INSERT INTO registry_reject SELECT %(id)s, r.line, 'parent', 'unknown_parent', r.parent FROM import_row r
WHERE r.parent IS NOT NULL AND NOT EXISTS (SELECT FROM object_now o WHERE o.key = r.parent AND o.class <> 'device')
  AND NOT EXISTS (SELECT FROM import_row x WHERE x.key = r.parent AND x.class <> 'device')

-- circles: a thing that is part of itself. The rows of the file count before the registry.
INSERT INTO registry_reject
WITH RECURSIVE up AS (
  SELECT line, key, parent AS at, 1 AS depth FROM import_row WHERE parent IS NOT NULL
  UNION ALL
  SELECT u.line, u.key, coalesce(f.parent, n.key), u.depth + 1 FROM up u
  LEFT JOIN import_row f ON f.key = u.at
  LEFT JOIN object_now o ON o.key = u.at AND f.key IS NULL LEFT JOIN object n ON n.object_id = o.parent_id
  WHERE u.at <> u.key AND u.depth < 32 AND coalesce(f.parent, n.key) IS NOT NULL)
SELECT %(id)s, line, 'parent', 'parent_circle', min(at) FROM up WHERE at = key OR depth = 32 GROUP BY line

-- chunk: the next rows, areas first, with the ids of what exists already.
SELECT r.line, r.area, r.body, r.key, r.external_id, o.object_id, o.class, d.object_id AS device_id, p.object_id AS parent_id,
  g.object_id AS org_id,
  EXISTS (SELECT FROM registry_reject x WHERE x.import_id = %(id)s AND x.line = r.line) AS refused
FROM import_row r LEFT JOIN object o ON o.key = r.key
LEFT JOIN object d ON r.external_id <> '' AND d.key = 'device/' || r.external_id
LEFT JOIN object p ON p.key = r.parent LEFT JOIN object g ON g.key = r.org
WHERE (NOT r.area, r.line) > (NOT %(area)s::bool, %(line)s) ORDER BY NOT r.area, r.line LIMIT %(limit)s

-- add_identities: all new keys of the file at once.
INSERT INTO object (key, class)
SELECT key, class FROM import_row WHERE class <> '' UNION ALL
SELECT 'device/' || external_id, 'device' FROM import_row WHERE external_id <> '' AND key NOT LIKE 'device/%%'
ON CONFLICT (key) DO NOTHING

-- rejects: how many lines cannot be taken.
SELECT count(DISTINCT line)::int AS lines, count(*)::int AS faults FROM registry_reject WHERE import_id = %(id)s

-- by_reason: what is wrong how often.
SELECT reason, count(*)::int AS n FROM registry_reject WHERE import_id = %(id)s GROUP BY reason ORDER BY n DESC, reason

-- report: the faults in the order of the file.
SELECT line, name, reason, value FROM registry_reject WHERE import_id = %(id)s ORDER BY line, name, reason LIMIT %(limit)s

-- forget_rejects: before a second check.
DELETE FROM registry_reject WHERE import_id = %(id)s

-- add_job: a file has come.
INSERT INTO registry_import (actor, file_name, body) VALUES (%(actor)s, %(file_name)s, %(body)s) RETURNING import_id

-- job: one of them without its bytes.
SELECT import_id, at, actor, file_name, state, summary, progress, octet_length(body) AS size FROM registry_import
WHERE import_id = %(id)s

-- body: the bytes.
SELECT body FROM registry_import WHERE import_id = %(id)s

-- jobs: the newest.
SELECT import_id, at, actor, file_name, state, summary, progress, octet_length(body) AS size FROM registry_import
ORDER BY import_id DESC LIMIT %(limit)s

-- start: from one state into another; nothing where somebody was faster.
UPDATE registry_import SET state = %(to)s, progress = 0 WHERE import_id = %(id)s AND state = ANY(%(from)s) RETURNING import_id

-- progress: how far it is, for whoever waits.
UPDATE registry_import SET progress = %(done)s WHERE import_id = %(id)s

-- finish: how it ended; the bytes of what is applied are not needed any more.
UPDATE registry_import SET state = %(state)s, summary = %(summary)s,
  body = CASE WHEN %(state)s = 'applied' THEN NULL ELSE body END WHERE import_id = %(id)s

-- tidy: files of last week.
DELETE FROM registry_import WHERE at < now() - interval '7 days' AND state <> 'applying'

-- analyze: after many new rows.
ANALYZE object, object_version, device_point, series, registry_line

-- gather_words: the index of words takes a file at once; settle_words sorts it in when nobody waits any more.
SET LOCAL gin_pending_list_limit = '256MB'

-- settle_words: what gather_words has put off.
VACUUM registry_line
