-- Scripts that came with a profile from a network server are versions of its codec like any other.
INSERT INTO codec (profile, version, source, note, actor)
SELECT name, 1, body->>'codec_script', 'chirpstack', 'part:worker' FROM (
  SELECT DISTINCT ON (name) name, body FROM profile ORDER BY name, version DESC) AS newest
WHERE coalesce(body->>'codec_script', '') <> '' ON CONFLICT (profile, version) DO NOTHING;
UPDATE profile SET body = body - 'codec_script' WHERE body ? 'codec_script';
