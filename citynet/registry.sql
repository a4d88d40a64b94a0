-- devices: every device with its point and what maps payload keys to series.
SELECT d.object_id AS device_id, d.attributes->>'external_id' AS external_id, d.attributes->>'protocol' AS protocol,
       d.attributes->>'profile' AS profile, d.attributes AS attributes, p.object_id AS point_id
FROM object_now d LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
WHERE d.class = 'device'

-- series: every series.
SELECT series_id, object_id, quantity, channel, unit FROM series

-- objects: every living object without its geometry.
SELECT object_id, uid::text AS uid, key, class, name_ru, name_en, service, org_id, parent_id, lon, lat, zone_ids, attributes
FROM object_now WHERE class <> 'device'

-- profiles: the newest version of each profile.
SELECT DISTINCT ON (name) name, version, body FROM profile ORDER BY name, version DESC

-- rules: the newest version of each active rule.
SELECT DISTINCT ON (rule_id) rule_id, version, body FROM rule WHERE active ORDER BY rule_id, version DESC

-- codecs: the newest script of each profile that has one.
SELECT profile, version, source FROM (
  SELECT DISTINCT ON (profile) profile, version, source FROM codec ORDER BY profile, version DESC) AS newest
WHERE source <> ''

-- revision: changes whenever anything above does.
SELECT coalesce((SELECT max(recorded_from) FROM object_version), 'epoch') AS objects,
       (SELECT count(*) FROM series) AS series, (SELECT count(*) FROM profile) AS profiles,
       (SELECT count(*) FROM codec) AS codecs,
       (SELECT count(*)::text || '/' || count(*) FILTER (WHERE active) FROM rule) AS rules
