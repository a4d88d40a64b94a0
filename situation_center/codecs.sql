-- profiles: every profile with the newest version of its script.
SELECT p.name AS profile, coalesce(c.version, 0) AS version, coalesce(octet_length(c.source), 0) AS size,
       coalesce(c.actor, '') AS actor, c.recorded, coalesce(c.note, '') AS note
FROM (SELECT DISTINCT name FROM profile) AS p
LEFT JOIN LATERAL (SELECT version, source, actor, recorded, note FROM codec
                   WHERE codec.profile = p.name ORDER BY version DESC LIMIT 1) AS c ON true
ORDER BY p.name

-- versions: all versions of the script of a profile, the newest first.
SELECT version, actor, recorded, note, octet_length(source) AS size FROM codec WHERE profile = %(profile)s
ORDER BY version DESC LIMIT 200

-- source: one version of a script, the newest without a number.
SELECT version, source, actor, recorded, note FROM codec
WHERE profile = %(profile)s AND (%(version)s::int IS NULL OR version = %(version)s) ORDER BY version DESC LIMIT 1

-- known: whether there is such a profile, and the newest version of its script.
SELECT EXISTS (SELECT 1 FROM profile WHERE name = %(profile)s) AS known,
       coalesce((SELECT max(version) FROM codec WHERE profile = %(profile)s), 0) AS version

-- add: a new version.
INSERT INTO codec (profile, version, source, note, actor) VALUES (%(profile)s, %(version)s, %(source)s, %(note)s, %(actor)s)
