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
