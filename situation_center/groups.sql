-- chosen: points with devices that a choice names, and whether each is silent now; rights are asked in Python.
SELECT o.object_id, o.key, o.name_ru, o.name_en, o.class, o.service, o.org_id, o.parent_id, o.zone_ids,
  d.object_id AS device_id, d.attributes AS device_attributes, p.body AS profile,
  EXISTS (SELECT FROM condition c WHERE c.state = 'active' AND c.signal IN ('nodata', 'supply')
    AND c.object_id IN (o.object_id, o.parent_id)) AS silent
FROM object_now o
JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
JOIN object_now d ON d.object_id = dp.device_id
LEFT JOIN LATERAL (SELECT body FROM profile WHERE name = d.attributes->>'profile' ORDER BY version DESC LIMIT 1) p ON true
WHERE (%(objects)s::int[] = '{}' OR o.object_id = ANY(%(objects)s))
  AND (%(parent)s::int IS NULL OR o.parent_id = %(parent)s)
  AND (%(zone)s::int IS NULL OR o.zone_ids @> ARRAY[%(zone)s::int])
  AND (%(class)s::text IS NULL OR o.class = %(class)s)
  AND (%(tag)s::text IS NULL OR %(tag)s = ANY(o.tags) OR o.attributes->'tags' ? %(tag)s)
ORDER BY o.object_id LIMIT %(limit)s

-- same_group: the group that this key ordered before.
SELECT group_id, chosen, action, args FROM command_group WHERE idempotency_key = %s

-- add_group: a group of commands in waves.
INSERT INTO command_group (group_id, idempotency_key, chosen, action, args, state, waves, pause_s, stop_share, next_at,
  requested_by, requested, undoes)
VALUES (%(group_id)s, %(key)s, %(chosen)s, %(action)s, %(args)s, %(state)s, %(waves)s, %(pause_s)s, %(stop_share)s,
  %(now)s, %(requested_by)s, %(now)s, %(undoes)s)

-- running: groups that may go on; another worker's are left alone.
SELECT * FROM command_group WHERE state IN ('running', 'requested') ORDER BY requested FOR UPDATE SKIP LOCKED

-- lock_group: one group, held until the end of the transaction.
SELECT * FROM command_group WHERE group_id = %s FOR UPDATE

-- one_group: a group as it is.
SELECT * FROM command_group WHERE group_id = %s

-- progress: commands of a group by wave and state.
SELECT wave, state, count(*)::int AS count FROM command WHERE group_id = %s GROUP BY wave, state

-- wave: commands of a wave that wait for their turn.
SELECT * FROM command WHERE group_id = %(group_id)s AND wave = %(wave)s AND state = 'approved'
ORDER BY command_id FOR UPDATE

-- unfinished: commands of a group that have not ended.
SELECT * FROM command WHERE group_id = %s AND finished IS NULL ORDER BY command_id FOR UPDATE

-- commands_of: all commands of a group, with their objects' devices.
SELECT * FROM command WHERE group_id = %s ORDER BY command_id

-- set_group: the next state of a group.
UPDATE command_group SET state = %(state)s, wave = %(wave)s, next_at = %(next_at)s, finished = %(finished)s,
  why = %(why)s WHERE group_id = %(group_id)s
