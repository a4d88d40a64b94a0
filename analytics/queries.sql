-- checkpoint: position and state of one partition.
SELECT applied_seq, hist_seq, state FROM analytics.checkpoint WHERE partition = %s

-- chunks: what the detectors of one partition learned.
SELECT name, body FROM analytics.chunk WHERE partition = %s

-- save: position and state of one partition.
INSERT INTO analytics.checkpoint (partition, applied_seq, hist_seq, state)
VALUES (%(partition)s, %(applied_seq)s, %(hist_seq)s, %(state)s)
ON CONFLICT (partition) DO UPDATE SET applied_seq = excluded.applied_seq, hist_seq = excluded.hist_seq,
  state = excluded.state, saved = now()

-- save_chunk: one changed piece.
INSERT INTO analytics.chunk (partition, name, body) VALUES (%s, %s, %s)
ON CONFLICT (partition, name) DO UPDATE SET body = excluded.body

-- forget: chunks of a state that this version cannot read.
DELETE FROM analytics.chunk WHERE partition = %s

-- post: an event on its way out.
INSERT INTO analytics.outbox (subject, msg_id, payload) VALUES (%s, %s, %s) ON CONFLICT (msg_id) DO NOTHING

-- waiting: events not published yet, oldest first.
SELECT outbox_id, subject, msg_id, payload FROM analytics.outbox ORDER BY outbox_id LIMIT %s

-- sent: events that EVENTS has stored.
DELETE FROM analytics.outbox WHERE outbox_id = ANY(%s)

-- heard_by_silent: objects that one of the silent gateways hears, and whether all that hear it are silent. A gateway that
-- had fewer than one frame in fifty of a device's best one does not count.
WITH silent AS (
  SELECT substr(d.key, 8) AS gateway FROM device_point p JOIN object d ON d.object_id = p.device_id
  WHERE p.object_id = ANY(%(objects)s) AND p.valid_to = 'infinity'),
link AS (
  SELECT l.*, max(l.frames) OVER (PARTITION BY l.device_id) AS best FROM radio_link l
  WHERE l.last_heard > %(since)s AND l.device_id IN (SELECT device_id FROM radio_link JOIN silent USING (gateway)))
SELECT p.object_id, bool_and(l.gateway IN (SELECT gateway FROM silent)) AS deaf
FROM link l JOIN device_point p ON p.device_id = l.device_id AND p.valid_to = 'infinity'
WHERE l.frames * 50 >= l.best GROUP BY p.object_id
