-- listed: newest versions with the number of devices.
SELECT p.name, p.version, p.body, p.recorded, p.actor, coalesce(n.devices, 0)::int AS devices
FROM (SELECT DISTINCT ON (name) * FROM profile ORDER BY name, version DESC) p
LEFT JOIN (SELECT profile AS name, count(*) AS devices FROM registry_line WHERE profile IS NOT NULL GROUP BY profile) n
  USING (name) ORDER BY p.name

-- versions: all of one, newest first.
SELECT version, body, recorded, actor, note FROM profile WHERE name = %s ORDER BY version DESC LIMIT 100
