-- take: position and state of one partition, for a new owner: whoever had it before can save no more.
INSERT INTO analytics.checkpoint (partition, applied_seq, hist_seq, state) VALUES (%s, 0, 0, '')
ON CONFLICT (partition) DO UPDATE SET epoch = checkpoint.epoch + 1
RETURNING applied_seq, hist_seq, state, epoch

-- chunks: what the detectors of one partition learned.
SELECT name, body FROM analytics.chunk WHERE partition = %s

-- save: position and state of one partition, unless it has a new owner.
UPDATE analytics.checkpoint SET applied_seq = %(applied_seq)s, hist_seq = %(hist_seq)s, state = %(state)s, outages = %(outages)s,
  saved = now()
WHERE partition = %(partition)s AND epoch = %(epoch)s

-- save_chunk: one changed piece.
INSERT INTO analytics.chunk (partition, name, body) VALUES (%s, %s, %s)
ON CONFLICT (partition, name) DO UPDATE SET body = excluded.body

-- forget: chunks of a state that this version cannot read.
DELETE FROM analytics.chunk WHERE partition = %s

-- post: an event on its way out.
INSERT INTO analytics.outbox (subject, msg_id, payload, partition) VALUES (%s, %s, %s, %s)
ON CONFLICT (msg_id) DO NOTHING

-- waiting: events of partitions that are not published yet, oldest first.
SELECT outbox_id, subject, msg_id, payload FROM analytics.outbox WHERE partition = ANY(%s) ORDER BY outbox_id LIMIT %s

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

-- out_of_work: objects that are, by the checkpoints of all partitions but these.
SELECT DISTINCT unnest(outages) AS object_id FROM analytics.checkpoint WHERE partition <> ALL(%s)
