-- devices: an object and its children, each with its device and the newest profile of the device.
SELECT o.object_id, o.name_ru, o.name_en, o.class, o.service, o.org_id, o.parent_id, o.zone_ids,
  d.object_id AS device_id, d.attributes AS device_attributes, p.body AS profile
FROM object_now o
JOIN device_point dp ON dp.object_id = o.object_id AND dp.valid_to = 'infinity'
JOIN object_now d ON d.object_id = dp.device_id
LEFT JOIN LATERAL (SELECT body FROM profile WHERE name = d.attributes->>'profile' ORDER BY version DESC LIMIT 1) p ON true
WHERE o.object_id = ANY(%(ids)s) OR o.parent_id = ANY(%(ids)s)
ORDER BY o.object_id

-- object: what rights are asked about.
SELECT object_id, key, service, org_id, zone_ids, class, name_ru, name_en FROM object_now WHERE object_id = %s

-- one_at_a_time: the same request twice at once waits for itself.
SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))

-- same_request: what this key asked for before.
SELECT command_id, object_id, action, args FROM command
WHERE idempotency_key = %(key)s OR starts_with(idempotency_key, %(key)s || '#') ORDER BY command_id

-- add: a command; before = what telemetry showed of the quantity that it is to change.
INSERT INTO command (idempotency_key, object_id, device_id, incident_id, action, args, group_id, state, requested_by,
  requested, deadline, change, undoes, before)
VALUES (%(key)s, %(object_id)s, %(device_id)s, %(incident_id)s, %(action)s, %(args)s, %(group_id)s, %(state)s,
  %(requested_by)s, %(requested)s, %(deadline)s, nextval('command_change'), %(undoes)s, (
    SELECT n.value FROM series s JOIN newest n USING (series_id)
    WHERE s.object_id = %(object_id)s AND s.quantity = %(quantity)s AND s.channel = %(channel)s))
RETURNING *

-- add_group_commands: the commands of a group in their first state, each with the first line of its history.
WITH added AS (
  INSERT INTO command (idempotency_key, object_id, device_id, action, args, group_id, state, requested_by, requested,
    deadline, change, undoes, wave, before)
  SELECT x.key, x.object_id, x.device_id, x.action, x.args, %(group_id)s, %(state)s, %(requested_by)s, %(requested)s,
    %(deadline)s, nextval('command_change'), x.undoes, x.wave, n.value
  FROM jsonb_to_recordset(%(rows)s) AS x (key text, object_id int, device_id int, action text, args jsonb, undoes uuid,
    wave int, quantity text, channel text)
  LEFT JOIN series s ON s.object_id = x.object_id AND s.quantity = x.quantity AND s.channel = x.channel
  LEFT JOIN newest n USING (series_id)
  RETURNING command_id)
INSERT INTO command_log (command_id, at, actor, state, detail)
SELECT command_id, %(requested)s, %(requested_by)s, %(state)s, '' FROM added ORDER BY command_id

-- expect: what telemetry must show.
INSERT INTO expectation (command_id, series_id, compare, target, tolerance, since, until, late_until)
SELECT %(command_id)s, series_id, %(compare)s, %(target)s, %(tolerance)s, %(since)s, %(until)s, %(late_until)s
FROM series
WHERE object_id = %(object_id)s AND quantity = %(quantity)s AND channel = %(channel)s

-- older: unfinished commands for the same point and quantity; the newer wish counts.
SELECT c.* FROM command c
WHERE c.object_id = %(object_id)s AND c.command_id <> %(command_id)s
  AND c.state IN ('requested', 'approved', 'queued', 'sent', 'acknowledged', 'unknown')
  AND (c.action = %(action)s OR EXISTS (
    SELECT FROM expectation e JOIN series s USING (series_id)
    WHERE e.command_id = c.command_id AND s.quantity = %(quantity)s AND s.channel = %(channel)s))
FOR UPDATE

-- lock: one command, held until the end of the transaction.
SELECT * FROM command WHERE command_id = %s FOR UPDATE

-- lock_group: the commands of one request.
SELECT * FROM command WHERE command_id = %(command_id)s OR (group_id IS NOT NULL AND group_id = %(group_id)s)
ORDER BY command_id FOR UPDATE

-- start_group: the waves of a signed group begin.
UPDATE command_group SET state = 'running', next_at = %(now)s WHERE group_id = %(group_id)s AND state = 'requested'

-- one: a command as people know it.
SELECT * FROM command WHERE command_id = %s

-- set_state: the next state.
UPDATE command SET state = %(state)s, detail = %(detail)s, sent = %(sent)s, finished = %(finished)s,
  deadline = %(deadline)s, version = version + 1, change = nextval('command_change')
WHERE command_id = %(command_id)s

-- add_log: a line in the history of a command.
INSERT INTO command_log (command_id, at, actor, state, detail) VALUES (%(command_id)s, %(at)s, %(actor)s, %(state)s, %(detail)s)

-- end_expectation: nobody waits for the effect any more.
UPDATE expectation SET until = least(until, %(now)s), late_until = least(late_until, %(now)s)
WHERE command_id = %(command_id)s

-- hold_back: take the message out of the outbox; nothing is deleted when it may have left.
DELETE FROM outbox WHERE msg_id = %s AND NOT taken

-- left: whether a command is known to have been begun, and whether its network server may hold it still.
SELECT coalesce(bool_or(r.kind <> 'waiting'), false) AS begun, coalesce(
  bool_or(r.kind = 'sent') AND NOT bool_or(r.kind IN ('radiated', 'acknowledged', 'unknown', 'readback', 'kept'))
  AND bool_or(d.attributes->>'protocol' IN ('chirpstack', 'things_stack')), false) AS held
FROM command c JOIN object_now d ON d.object_id = c.device_id JOIN receipt r USING (command_id)
WHERE c.command_id = %s

-- ask_cancel: the gateway sees this before it begins to send.
UPDATE command SET cancel_asked = %(actor)s, version = version + 1, change = nextval('command_change')
WHERE command_id = %(command_id)s

-- open: unfinished commands that have receipts or a deadline behind them, with their receipts, oldest first.
SELECT c.*, r.kinds, r.details, r.times FROM command c LEFT JOIN LATERAL (
  SELECT array_agg(kind ORDER BY receipt_id) AS kinds, array_agg(detail ORDER BY receipt_id) AS details,
         array_agg(time ORDER BY receipt_id) AS times
  FROM receipt WHERE receipt.command_id = c.command_id) r ON true
WHERE c.state IN ('requested', 'approved', 'queued', 'sent', 'acknowledged', 'unknown')
  AND (c.deadline < %(now)s OR r.kinds IS NOT NULL)
ORDER BY c.command_id LIMIT 5000
