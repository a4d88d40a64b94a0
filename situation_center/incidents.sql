-- lock: one incident, held against others until the end of the transaction.
SELECT * FROM incident WHERE incident_id = %s FOR UPDATE

-- one: one incident as people know it.
SELECT * FROM incident WHERE incident_id = %s

-- add_log: a line in the history.
INSERT INTO incident_log (incident_id, at, actor, action, text, detail)
VALUES (%(incident_id)s, %(at)s, %(actor)s, %(action)s, %(text)s, %(detail)s)

-- undoable: a person's acknowledge or take that nobody has built upon, at most undo_s old by the wall clock.
SELECT * FROM incident_log
WHERE incident_id = %(incident_id)s AND actor = %(actor)s AND action IN ('acknowledge', 'take')
  AND (detail->>'version')::int = %(version)s
  AND (detail->>'wall')::timestamptz > clock_timestamp() - make_interval(secs => %(undo_s)s)
ORDER BY log_id DESC LIMIT 1

-- move_conditions: a merge takes everything along, and remembers whose it was.
UPDATE incident_condition SET incident_id = %(into)s, merged_by = %(merged_by)s WHERE incident_id = %(incident_id)s

-- recount: how many conditions are inside, and whether one of them is true.
SELECT count(*) AS count, coalesce(bool_or(c.state = 'active'), false) AS active
FROM incident_condition i JOIN condition c USING (condition_id) WHERE i.incident_id = %s

-- set_count: conditions inside; versions count decisions of people, not this.
UPDATE incident SET count = greatest(count, %(count)s), change = nextval('incident_change')
WHERE incident_id = %(incident_id)s

-- person: an account that may own work.
SELECT * FROM account WHERE account_id = %s AND active

-- organisation: one that work can be given to.
SELECT object_id, name_ru, name_en FROM object_now WHERE object_id = %s AND class = 'organisation'

-- changed_conditions: conditions that changed since they were seen, with the incident that holds them.
SELECT c.*, i.incident_id FROM condition c
LEFT JOIN condition_seen s USING (condition_id) LEFT JOIN incident_condition i USING (condition_id)
WHERE c.change > %(since)s AND (s.change IS NULL OR s.change < c.change)
ORDER BY c.change LIMIT %(batch)s

-- open_incidents: what a new condition may belong to; resolved ones open again.
SELECT i.incident_id, i.type, i.object_id, i.state, i.priority, i.opened, i.owner_id,
  (SELECT max(c.opened) FROM incident_condition ic JOIN condition c USING (condition_id)
   WHERE ic.incident_id = i.incident_id) AS newest
FROM incident i WHERE i.state IN ('new', 'acknowledged', 'dispatched', 'in_progress', 'restored', 'resolved')

-- open_conditions: what is inside those, oldest first.
SELECT c.object_id, c.signal, c.state, c.opened, i.incident_id
FROM incident i JOIN incident_condition ic USING (incident_id) JOIN condition c USING (condition_id)
WHERE i.state IN ('new', 'acknowledged', 'dispatched', 'in_progress', 'restored', 'resolved')
ORDER BY c.condition_id

-- heard_by: the radio gateways that hear the devices of objects; 0 stands for one that is not registered. A gateway that had
-- fewer than one frame in fifty of a device's best one does not count.
WITH link AS (
  SELECT p.object_id, l.gateway, l.frames, max(l.frames) OVER (PARTITION BY l.device_id) AS best
  FROM device_point p JOIN radio_link l USING (device_id) WHERE p.object_id = ANY(%(ids)s) AND p.valid_to = 'infinity')
SELECT l.object_id, array_agg(DISTINCT coalesce(gp.object_id, 0)) AS gateways
FROM link l LEFT JOIN object d ON d.key = 'device/' || l.gateway
LEFT JOIN device_point gp ON gp.device_id = d.object_id AND gp.valid_to = 'infinity'
WHERE l.frames * 50 >= l.best GROUP BY l.object_id

-- add_incident: a new incident.
INSERT INTO incident (type, object_id, service, org_id, zone_ids, severity, priority, state, condition_active,
  title_ru, title_en, why_ru, why_en, action_ru, action_en, opened, deadline, deadline_kind, change)
VALUES (%(type)s, %(object_id)s, %(service)s, %(org_id)s, %(zone_ids)s, %(severity)s, %(priority)s, 'new',
  %(condition_active)s, %(title_ru)s, %(title_en)s, %(why_ru)s, %(why_en)s, %(action_ru)s, %(action_en)s,
  %(opened)s, %(deadline)s, %(deadline_kind)s, nextval('incident_change'))
RETURNING *

-- add_condition: a condition belongs to one incident.
INSERT INTO incident_condition (condition_id, incident_id, merged_by)
VALUES (%(condition_id)s, %(incident_id)s, %(merged_by)s)

-- see_conditions: handled up to this change.
INSERT INTO condition_seen (condition_id, change) SELECT * FROM unnest(%(ids)s::bigint[], %(changes)s::bigint[])
ON CONFLICT (condition_id) DO UPDATE SET change = excluded.change

-- overdue: open incidents whose deadline has passed and was not told yet.
SELECT * FROM incident i
WHERE state IN ('new', 'acknowledged', 'dispatched', 'in_progress', 'restored') AND deadline < %(now)s
  AND NOT EXISTS (SELECT FROM incident_log l WHERE l.incident_id = i.incident_id AND l.action = 'overdue'
    AND l.detail->>'kind' = i.deadline_kind AND (l.detail->>'deadline')::timestamptz = i.deadline)
FOR UPDATE SKIP LOCKED

-- proven: resolved incidents whose conditions have all been normal for long enough.
SELECT * FROM incident i
WHERE state = 'resolved' AND NOT condition_active AND NOT EXISTS (
  SELECT FROM incident_condition ic JOIN condition c USING (condition_id)
  WHERE ic.incident_id = i.incident_id AND (c.returned IS NULL OR c.returned > %(before)s))
FOR UPDATE SKIP LOCKED

-- rested: verified incidents that nobody has touched for long enough.
SELECT * FROM incident WHERE state = 'verified' AND resolved < %(before)s FOR UPDATE SKIP LOCKED
