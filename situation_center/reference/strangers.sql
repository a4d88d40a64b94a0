-- strangers: identifiers that talk and that no device of the registry has, the newest first, with their last frame.
SELECT q.external_id, q.frames, q.first, q.last, f.quarantine_id, f.subject, f.payload, f.detail FROM (
  SELECT external_id, count(*)::int AS frames, min(coalesce(arrived, at)) AS first, max(coalesce(arrived, at)) AS last,
    max(quarantine_id) AS newest
  FROM quarantine WHERE reason = 'unknown_device' AND external_id <> '' AND replayed IS NULL
    AND at > now() - make_interval(days => %(days)s)
    AND (%(text)s = '' OR strpos(lower(external_id), %(text)s) > 0)
  GROUP BY external_id) q
JOIN quarantine f ON f.quarantine_id = q.newest
WHERE NOT EXISTS (SELECT FROM object_now o WHERE o.key = 'device/' || q.external_id)
ORDER BY q.last DESC LIMIT %(limit)s

-- heard: the last frame of one identifier, by its own road before any backfill.
SELECT subject FROM quarantine WHERE reason = 'unknown_device' AND external_id = %(external_id)s
ORDER BY (subject LIKE 'up.%%') DESC, quarantine_id DESC LIMIT 1

-- frames: the last frames of one identifier.
SELECT quarantine_id, coalesce(arrived, at) AS at, subject, detail, payload FROM quarantine
WHERE reason = 'unknown_device' AND external_id = %(external_id)s ORDER BY quarantine_id DESC LIMIT %(limit)s
