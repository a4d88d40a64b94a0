-- children: what is part of an object now.
SELECT object_id FROM object_now WHERE parent_id = %(id)s

-- point_to: the key leads to another object from now on, or to itself again.
UPDATE object SET merged_into = %(into)s WHERE object_id = %(id)s

-- lead_on: keys that led to the one that goes lead to the one that stays.
UPDATE object SET merged_into = %(into)s WHERE merged_into = %(id)s RETURNING object_id

-- add: the memory of a merge.
INSERT INTO object_merge (object_id, into_id, actor, note, moved) VALUES (%(id)s, %(into)s, %(actor)s, %(note)s, %(moved)s)
RETURNING merge_id

-- one: a merge that was not undone.
SELECT merge_id, object_id, into_id, moved FROM object_merge WHERE merge_id = %(id)s AND undone IS NULL

-- undone: it was taken back.
UPDATE object_merge SET undone = clock_timestamp(), undone_by = %(actor)s WHERE merge_id = %(id)s

-- listed: merges into an object or of one, newest first.
SELECT m.merge_id, g.key, i.key AS into_key, m.at, m.actor, m.note, m.undone, m.undone_by
FROM object_merge m JOIN object g ON g.object_id = m.object_id JOIN object i ON i.object_id = m.into_id
WHERE m.into_id = %(id)s OR m.object_id = %(id)s ORDER BY m.merge_id DESC LIMIT 100
