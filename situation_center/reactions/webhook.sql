-- interested: active webhooks of this service and organisation.
SELECT webhook_id FROM webhook
WHERE active AND (services = '{}' OR %(service)s = ANY(services)) AND (org_id IS NULL OR org_id = %(org_id)s)
ORDER BY webhook_id

-- add_delivery: owed from now on.
INSERT INTO webhook_delivery (uid, webhook_id, incident_id, body)
VALUES (%(uid)s, %(webhook_id)s, %(incident_id)s, %(body)s)

-- due: the oldest waiting delivery of each webhook and incident, where its time has come.
SELECT d.*, w.url, w.secret, now() AS now FROM (
  SELECT DISTINCT ON (webhook_id, incident_id) * FROM webhook_delivery WHERE state = 'waiting'
  ORDER BY webhook_id, incident_id, delivery_id) d
JOIN webhook w USING (webhook_id) WHERE d.next_at <= now() AND w.active ORDER BY d.next_at LIMIT 500

-- outcome: what came of an attempt.
UPDATE webhook_delivery SET state = %(state)s, attempts = %(attempts)s, last_status = %(status)s, last_error = %(error)s,
  next_at = now() + make_interval(secs => %(wait_s)s),
  delivered = CASE WHEN %(state)s = 'delivered' THEN now() END
WHERE delivery_id = %(delivery_id)s

-- disable: no more calls; what waited has failed.
WITH off AS (UPDATE webhook SET active = false WHERE webhook_id = %s RETURNING webhook_id)
UPDATE webhook_delivery d SET state = 'failed', last_error = 'the webhook is switched off'
FROM off WHERE d.webhook_id = off.webhook_id AND d.state = 'waiting'

-- add: an endpoint.
INSERT INTO webhook (url, secret, services, org_id) VALUES (%(url)s, %(secret)s, %(services)s, %(org_id)s)
RETURNING webhook_id

-- list: endpoints with what is owed to them; the secret stays here.
SELECT w.webhook_id, w.url, w.services, w.org_id, w.active, w.created,
  count(d.delivery_id) FILTER (WHERE d.state = 'waiting') AS waiting,
  count(d.delivery_id) FILTER (WHERE d.state = 'delivered') AS delivered,
  count(d.delivery_id) FILTER (WHERE d.state = 'failed') AS failed
FROM webhook w LEFT JOIN webhook_delivery d USING (webhook_id) GROUP BY w.webhook_id ORDER BY w.webhook_id
