-- strip_incidents: open incidents by priority and state, oldest un-acknowledged, new ones of the last 10 minutes.
SELECT priority, count(*) AS open, count(*) FILTER (WHERE state = 'new') AS unacknowledged,
  min(opened) FILTER (WHERE state = 'new') AS oldest
FROM incident WHERE state IN ('new', 'acknowledged', 'dispatched', 'in_progress', 'restored')
  AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])
GROUP BY priority

-- strip_clock: city time, its speed, new incidents of the last 10 minutes, age of the newest stored value.
WITH city AS (
  SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS now,
         coalesce((SELECT speed FROM city_clock), 1.0) AS speed)
SELECT city.now, city.speed,
  (SELECT count(*) FROM incident WHERE opened > city.now - interval '10 minutes'
     AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
     AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])) AS rate,
  extract(epoch FROM city.now - (SELECT max(received) FROM newest))::float8 / city.speed AS lag_s,
  (SELECT (value->>'away_since')::timestamptz FROM setting WHERE name = 'sign_in') AS sign_in_away
FROM city

-- strip_devices: points with a device, and those that have been silent for too long.
SELECT count(*) AS devices, count(c.object_id) AS silent
FROM device_point dp JOIN object_now o ON o.object_id = dp.object_id
LEFT JOIN (SELECT DISTINCT object_id FROM condition WHERE state = 'active' AND signal = 'nodata') c
  ON c.object_id = dp.object_id
WHERE dp.valid_to = 'infinity'
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])

-- queue: incidents as rows of the queue.
SELECT i.incident_id, i.uid::text AS uid, i.type, i.priority, i.severity, i.state, i.condition_active, i.title_ru,
  i.title_en, coalesce(o.name_ru, '') AS place_ru, coalesce(o.name_en, '') AS place_en, i.service, i.object_id, o.lon,
  o.lat, i.owner_id, a.login AS owner, i.org_id, g.name_ru AS org_ru, g.name_en AS org_en, i.opened, i.acknowledged,
  i.deadline, i.deadline_kind, i.opened AS deadline_start, i.count, i.version, i.change
FROM incident i LEFT JOIN object_now o USING (object_id) LEFT JOIN object_now g ON g.object_id = i.org_id
LEFT JOIN account a ON a.account_id = i.owner_id
WHERE (%(services)s::text[] = '{}' OR i.service IS NULL OR i.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR i.zone_ids = '{}' OR i.zone_ids && %(zones)s::int[])
  AND (%(service)s::text IS NULL OR i.service = %(service)s)
  AND (%(states)s::text[] IS NULL OR i.state = ANY(%(states)s))
  AND (%(id)s::bigint IS NULL OR i.incident_id = %(id)s)
  AND (%(object_id)s::int IS NULL OR i.object_id = %(object_id)s OR EXISTS (
    SELECT FROM incident_condition ic JOIN condition c USING (condition_id)
    WHERE ic.incident_id = i.incident_id AND c.object_id = %(object_id)s))
  AND (%(text)s::text = '' OR strpos(lower(concat_ws(' ', i.title_ru, i.title_en, o.name_ru, o.name_en)), %(text)s) > 0)
ORDER BY CASE WHEN i.state IN ('new', 'acknowledged', 'dispatched', 'in_progress', 'restored') THEN i.priority ELSE 9 END,
  i.deadline NULLS LAST, i.incident_id DESC LIMIT %(limit)s

-- incident_text: what the card says above all.
SELECT why_ru, why_en, action_ru, action_en, merged_into FROM incident WHERE incident_id = %s

-- conditions: what is inside an incident, the worst and newest first.
SELECT c.condition_id, c.rule_id, c.rule_version, coalesce(r.body->>'text', '') AS rule_text, c.signal, c.severity,
  c.state, c.object_id, coalesce(o.name_ru, '') AS object_ru, coalesce(o.name_en, '') AS object_en, c.opened, c.returned,
  c.count, c.value, c.peak, c.low, c.high, c.score, c.series_id, c.why_ru, c.why_en, ic.merged_by
FROM incident_condition ic JOIN condition c USING (condition_id)
LEFT JOIN object_now o ON o.object_id = c.object_id
LEFT JOIN rule r ON r.rule_id = c.rule_id AND r.version = c.rule_version
WHERE ic.incident_id = %(id)s
ORDER BY c.state, ic.merged_by <> '', array_position('{critical,high,medium,low}', c.severity), c.condition_id LIMIT %(limit)s

-- log: history of an incident, newest first.
SELECT log_id, at, actor, action, text, detail FROM incident_log WHERE incident_id = %(id)s
ORDER BY log_id DESC LIMIT %(limit)s

-- undoable: the last step of a person that can still be taken back.
SELECT 1 FROM incident_log l JOIN incident i USING (incident_id)
WHERE l.incident_id = %(id)s AND l.actor = %(actor)s AND l.action IN ('acknowledge', 'take')
  AND (l.detail->>'version')::int = i.version
  AND (l.detail->>'wall')::timestamptz > clock_timestamp() - make_interval(secs => %(undo_s)s)

-- commands: commands of an incident or objects, one alone, or all by state, group and words; newest first.
SELECT c.command_id::text AS command_id, c.object_id, coalesce(o.name_ru, '') AS object_ru,
  coalesce(o.name_en, '') AS object_en, c.action, c.args, c.state, c.requested_by, c.requested, c.deadline, c.finished,
  c.detail, c.incident_id, c.group_id::text AS group_id, c.version, c.change, c.cancel_asked, c.before,
  c.undoes::text AS undoes, p.body->'command' AS specs,
  CASE WHEN p.body->>'radio_class' = 'A' AND c.state IN ('queued', 'sent') THEN (
    SELECT max(n.time) + make_interval(secs => (p.body->>'interval_s')::float8)
    FROM series s JOIN newest n USING (series_id) WHERE s.object_id = c.object_id) END AS next_uplink,
  CASE WHEN c.state = 'queued' AND NOT r.begun THEN r.waiting END AS waiting, r.kept,
  c.state IN ('queued', 'sent') AND d.attributes->>'protocol' IN ('chirpstack', 'things_stack') AND coalesce(r.held, false) AS held,
  c.state = 'queued' AND NOT coalesce(r.begun, false) AND d.attributes @> '{"protocol": "native", "downlink": "http"}' AS fetched
FROM command c JOIN object_now o ON o.object_id = c.object_id
LEFT JOIN object_now d ON d.object_id = c.device_id
LEFT JOIN LATERAL (SELECT body FROM profile WHERE name = d.attributes->>'profile' ORDER BY version DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (
  SELECT (array_agg(detail ORDER BY receipt_id DESC) FILTER (WHERE kind = 'waiting'))[1] AS waiting,
    (array_agg(detail ORDER BY receipt_id DESC) FILTER (WHERE kind = 'kept'))[1] AS kept, bool_or(kind = 'intent') AS begun,
    bool_or(kind = 'sent') AND NOT bool_or(kind IN ('radiated', 'acknowledged', 'unknown', 'readback', 'kept')) AS held
  FROM receipt WHERE receipt.command_id = c.command_id) r ON true
WHERE (%(all)s OR c.incident_id = %(incident_id)s OR c.object_id = ANY(%(objects)s) OR c.command_id = %(command_id)s)
  AND (%(states)s::text[] = '{}' OR c.state = ANY(%(states)s))
  AND (%(group_id)s::uuid IS NULL OR c.group_id = %(group_id)s)
  AND (%(text)s::text = '' OR strpos(lower(o.name_ru || ' ' || o.name_en || ' ' || c.requested_by), %(text)s) > 0)
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY c.requested DESC, c.command_id DESC LIMIT %(limit)s

-- command_steps: what happened to a command: its states, and what was heard of it.
SELECT l.at, l.actor, l.state, l.detail FROM (
  SELECT command_id, at, actor, state, detail, log_id AS n FROM command_log
  UNION ALL
  SELECT command_id, time, 'receipt', kind, detail, receipt_id FROM receipt) l
JOIN command c USING (command_id) JOIN object_now o ON o.object_id = c.object_id
WHERE l.command_id = %(command_id)s
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY l.at, l.n

-- groups: groups of which the viewer may know a command, with their counts.
SELECT g.group_id::text AS group_id, g.action, g.args, g.state, g.wave, g.waves, g.pause_s, g.stop_share,
  g.requested_by, g.requested, g.finished, g.why, g.undoes::text AS undoes, f.command_id::text AS first_command, f.specs,
  EXISTS (SELECT FROM command_group u WHERE u.undoes = g.group_id) AS undone,
  (SELECT jsonb_object_agg(state, n) FROM (
    SELECT state, count(*) AS n FROM command WHERE group_id = g.group_id GROUP BY state) s) AS counts
FROM command_group g JOIN LATERAL (
  SELECT c.command_id, p.body->'command' AS specs
  FROM command c JOIN object_now o ON o.object_id = c.object_id JOIN object_now d ON d.object_id = c.device_id
  LEFT JOIN LATERAL (
    SELECT body FROM profile WHERE name = d.attributes->>'profile' ORDER BY version DESC LIMIT 1) p ON true
  WHERE c.group_id = g.group_id
    AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
    AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
  ORDER BY (c.state = 'requested') DESC, c.command_id LIMIT 1) f ON true
WHERE %(group_id)s::uuid IS NULL OR g.group_id = %(group_id)s
ORDER BY g.requested DESC LIMIT %(limit)s

-- zone_names: the zones that the viewer may know.
SELECT object_id, name_ru, name_en FROM object_now WHERE class = ANY(%(classes)s)
  AND (%(zones)s::int[] = '{}' OR object_id = ANY(%(zones)s)) ORDER BY name_ru

-- near_devices: an object, its children, and what shares its parent.
SELECT object_id FROM object_now
WHERE object_id = %(object_id)s OR (%(parent_id)s::int IS NOT NULL AND parent_id = %(parent_id)s AND class <> %(class)s)

-- object: an object with its parent and organisation.
SELECT o.object_id, o.uid::text AS uid, o.key, o.class AS class_, o.name_ru, o.name_en, o.service, o.parent_id,
  p.name_ru AS parent_ru, p.name_en AS parent_en, g.name_ru AS org_ru, g.name_en AS org_en, o.lon, o.lat, o.zone_ids, o.org_id
FROM object_now o LEFT JOIN object_now p ON p.object_id = o.parent_id LEFT JOIN object_now g ON g.object_id = o.org_id
WHERE o.object_id = %s

-- attributes: what the class of an object describes, and what rights need.
SELECT class, service, zone_ids, org_id, attributes FROM object_now WHERE object_id = %s

-- series: series of objects with their newest values.
SELECT s.series_id, s.object_id, o.name_ru AS object_ru, o.name_en AS object_en, s.quantity, s.unit,
  n.time, n.value, n.quality
FROM series s JOIN object_now o USING (object_id) LEFT JOIN newest n USING (series_id)
WHERE s.object_id = ANY(%(objects)s) OR s.series_id = ANY(%(series)s) ORDER BY s.series_id

-- series_place: whose series it is, for the right to read it.
SELECT s.series_id, o.service, o.zone_ids, o.org_id FROM series s JOIN object_now o USING (object_id) WHERE s.series_id = %s

-- points: readings of a window, at most so many.
SELECT time, value FROM readings_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s, 'infinity', %(services)s, %(zones)s)

-- kept_from: readings before it have gone (ingest/retention.py).
SELECT kept_from FROM retention WHERE class = 'readings'

-- steps: means over equal steps of a window, for many series at once.
SELECT series_id, date_bin(make_interval(secs => %(step_s)s), time, %(since)s) AS time, avg(value) AS value
FROM readings_of(%(ids)s, %(since)s, %(until)s, NULL, 2147483647, 'infinity', %(services)s, %(zones)s)
GROUP BY 1, 2 ORDER BY 1, 2

-- rolled_steps: the same in steps of whole hours, from the roll-ups; hours that are not rolled up yet from the readings.
WITH due AS (
  SELECT DISTINCT hour FROM rollup_due
  WHERE block = %(id)s::int / 256 AND hour >= %(since)s AND hour < %(until)s),
hours AS (
  SELECT start AS hour, good, total
  FROM hours_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, 2147483647, %(services)s, %(zones)s)
  WHERE good > 0 AND start NOT IN (SELECT hour FROM due)
  UNION ALL
  SELECT d.hour, r.good, r.total FROM due d CROSS JOIN LATERAL (
    SELECT count(*) AS good, sum(value) AS total FROM readings_of(ARRAY[%(id)s::int], d.hour, d.hour + interval '1 hour',
      NULL, 2147483647, 'infinity', %(services)s, %(zones)s) WHERE quality & 4 = 0) r
  WHERE r.good > 0)
SELECT date_bin(make_interval(secs => %(step_s)s), hour, %(since)s) AS time, sum(total) / sum(good) AS value
FROM hours GROUP BY 1 ORDER BY 1

-- periods_hour: figures and consumption of hours.
SELECT start, n, good, low, high, total / nullif(good, 0) AS mean, first, last, used, marks
FROM hours_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s, %(services)s, %(zones)s)

-- periods_day: of local days.
SELECT start, n, good, low, high, total / nullif(good, 0) AS mean, first, last, used, marks
FROM days_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, %(limit)s, %(services)s, %(zones)s)

-- periods_month: of months that begin on some day of theirs, such as the 25th, when meters are read for a bill.
SELECT month AS start, sum(n)::int AS n, sum(good)::int AS good, min(low) AS low, max(high) AS high,
  sum(total) / nullif(sum(good), 0) AS mean, (array_agg(first ORDER BY start) FILTER (WHERE first IS NOT NULL))[1] AS first,
  (array_agg(last ORDER BY start DESC) FILTER (WHERE last IS NOT NULL))[1] AS last, sum(used) AS used,
  bit_or(marks) AS marks
FROM (
  SELECT *, (date_trunc('month', start - %(begins)s::int + 1) + make_interval(days => %(begins)s::int - 1))::date AS month
  FROM days_of(ARRAY[%(id)s::int], %(since)s, %(until)s, NULL, 2147483647, %(services)s, %(zones)s)) d
GROUP BY month ORDER BY month LIMIT %(limit)s

-- search: objects by name or key.
SELECT object_id, key, class AS class_, name_ru, name_en, service, lon, lat FROM object_now
WHERE class <> 'device' AND strpos(lower(concat_ws(' ', name_ru, name_en, key)), %(text)s) > 0
  AND (%(services)s::text[] = '{}' OR service IS NULL OR service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR zone_ids = '{}' OR zone_ids && %(zones)s::int[])
ORDER BY strpos(lower(name_ru), %(text)s) = 0, length(name_ru), key LIMIT %(limit)s

-- organisations: whom work can be given to.
SELECT object_id, key, class AS class_, name_ru, name_en, service, lon, lat FROM object_now
WHERE class = 'organisation' ORDER BY name_ru

-- accounts: people who may work.
SELECT account_id, login, title, role, services, zone_ids FROM account WHERE active ORDER BY login

-- service_values: newest values of a quantity in a service, with the worst active condition of each object.
SELECT s.series_id, s.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class, s.quantity, s.unit, n.time,
  n.value, n.quality, coalesce(w.worst, 'normal') AS state
FROM series s JOIN object_now o USING (object_id) LEFT JOIN newest n USING (series_id)
LEFT JOIN LATERAL (
  SELECT CASE WHEN bool_or(c.signal = 'nodata') AND bool_and(c.signal = 'nodata') THEN 'unknown' ELSE
    ('{critical,high,medium,low}'::text[])[min(array_position('{critical,high,medium,low}', c.severity))
      FILTER (WHERE c.signal <> 'nodata')] END AS worst
  FROM condition c WHERE c.object_id = s.object_id AND c.state = 'active' HAVING count(*) > 0) w ON true
WHERE o.service = %(service)s AND s.quantity = ANY(%(quantities)s)
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY o.key, s.series_id

-- service_counts: objects of a service, and the silent ones.
SELECT count(*) AS objects, count(*) FILTER (WHERE EXISTS (
  SELECT FROM condition c WHERE c.object_id = o.object_id AND c.state = 'active' AND c.signal = 'nodata')) AS silent
FROM object_now o WHERE o.service = %(service)s AND o.class <> 'device'
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])

-- object_states: active conditions of objects, for their state on map and card.
SELECT object_id, signal, severity FROM condition WHERE state = 'active'
  AND (%(ids)s::int[] IS NULL OR object_id = ANY(%(ids)s))

-- quarantine: the newest refused frames and rows.
SELECT quarantine_id, at, stage, reason, detail, subject, external_id, length(payload) AS size,
  substring(payload FOR 2000) AS payload, replayed, replay_of,
  replayed IS NULL AND stage = 'gateway' AND stream IN ('UPLINKS', 'HISTORY') AS replayable
FROM quarantine ORDER BY quarantine_id DESC LIMIT %(limit)s

-- quarantined: one refused frame with its bytes.
SELECT payload FROM quarantine WHERE quarantine_id = %s

-- reasons: why frames and rows were refused in the last day.
SELECT reason, count(*)::int AS n FROM quarantine WHERE at > now() - interval '24 hours' GROUP BY reason ORDER BY n DESC

-- sizes: how much is kept.
SELECT (SELECT count(*) FROM series)::int AS series, (SELECT max(received) FROM newest) AS newest_received

-- names: what buttons and rights need of objects.
SELECT object_id, name_ru, name_en, service, org_id, zone_ids FROM object_now WHERE object_id = ANY(%(ids)s)

-- health_silent: silent objects; those behind a silent parent are counted with it, and with a radio gateway those that no
-- other one hears.
WITH silent AS (
  SELECT c.object_id, min(c.opened) AS since FROM condition c
  WHERE c.state = 'active' AND c.signal IN ('nodata', 'supply') GROUP BY c.object_id),
named AS (
  SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, o.parent_id, s.since
  FROM silent s JOIN object_now o USING (object_id)
  WHERE (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
    AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[]))
SELECT n.object_id, n.object_ru, n.object_en, n.class_, n.since,
  (SELECT max(w.received) FROM series x JOIN newest w USING (series_id) WHERE x.object_id = n.object_id) AS heard,
  greatest((SELECT count(*)::int FROM named b WHERE b.parent_id = n.object_id),
    (SELECT count(*)::int FROM device_point p JOIN object d ON d.object_id = p.device_id
     JOIN radio_link l ON l.gateway = substr(d.key, 8)
     WHERE p.object_id = n.object_id AND p.valid_to = 'infinity' AND NOT EXISTS (
       SELECT FROM radio_link x WHERE x.device_id = l.device_id AND x.gateway <> l.gateway
       AND x.frames * 50 >= l.frames))) AS behind
FROM named n WHERE NOT EXISTS (SELECT FROM silent p WHERE p.object_id = n.parent_id)
ORDER BY behind DESC, n.since LIMIT %(limit)s

-- health_batteries: newest value of each battery and its forecast, the first to end first.
SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, n.value AS percent, n.time, b.days
FROM series s JOIN newest n USING (series_id) JOIN object_now o ON o.object_id = s.object_id LEFT JOIN battery b USING (series_id)
WHERE s.quantity IN ('battery', 'battery_level') AND s.unit = '%%'
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY b.days, n.value LIMIT %(limit)s

-- health_clocks: devices whose readings are stamped before or after they come, for some time and by a constant while.
SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, c.value AS behind_s, c.opened,
  c.why_ru, c.why_en
FROM condition c JOIN object_now o USING (object_id)
WHERE c.state = 'active' AND c.rule_id = 'device.clock'
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY abs(c.value) DESC LIMIT %(limit)s

-- radio_weak: devices that their network hears badly, as ingest tells it (ingest/radio.py).
SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, r.rssi, r.snr, r.spreading,
  r.margin, r.month_lost::float8 / nullif(r.month_frames + r.month_lost, 0) AS loss,
  r.month_frames AS frames, (SELECT count(*)::int FROM radio_link l WHERE l.device_id = r.device_id) AS gateways, r.weak AS since
FROM radio_device r
LEFT JOIN device_point p ON p.device_id = r.device_id AND p.valid_to = 'infinity'
JOIN object_now o ON o.object_id = coalesce(p.object_id, r.device_id)
WHERE r.weak IS NOT NULL
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY loss DESC NULLS LAST, margin LIMIT %(limit)s

-- radio_counters: devices whose frame counter went back: begun anew, or old frames sent again.
SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, r.resets, r.replays, r.f_cnt,
  greatest(r.last_reset, r.last_replay) AS last
FROM radio_device r
LEFT JOIN device_point p ON p.device_id = r.device_id AND p.valid_to = 'infinity'
JOIN object_now o ON o.object_id = coalesce(p.object_id, r.device_id)
WHERE r.resets + r.replays > 0
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY last DESC LIMIT %(limit)s

-- radio_gateways: what each gateway hears, as it was renewed last (situation_center/gateways.py).
SELECT g.*, o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, coalesce(o.class, 'gateway') AS class_
FROM radio_gateway g
LEFT JOIN object d ON d.key = 'device/' || g.gateway
LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
LEFT JOIN object_now o ON o.object_id = coalesce(p.object_id, d.object_id)
WHERE (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids IS NULL OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY g.alone DESC, g.devices DESC, g.gateway LIMIT %(limit)s

-- radio_of_object: how the device of an object is heard.
SELECT r.device_id, r.last_heard, r.f_cnt, r.spreading, r.rssi, r.snr, r.day, r.frames, r.lost, r.month_frames,
  r.month_lost, r.resets, r.replays, r.last_reset, r.last_replay
FROM radio_device r WHERE r.device_id = coalesce(
  (SELECT device_id FROM device_point WHERE object_id = %(id)s AND valid_to = 'infinity' LIMIT 1), %(id)s)

-- radio_links: the gateways that hear a device, the best one first.
SELECT l.gateway, l.last_heard, l.frames, l.rssi, l.snr, o.object_id, o.name_ru AS object_ru, o.name_en AS object_en
FROM radio_link l
LEFT JOIN object d ON d.key = 'device/' || l.gateway
LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
LEFT JOIN object_now o ON o.object_id = coalesce(p.object_id, d.object_id)
WHERE l.device_id = %(id)s ORDER BY l.frames DESC LIMIT 20

-- health_identity: who was refused at sign-in, or seen to do what is not theirs, in the last day of wall time.
SELECT q.external_id, q.reason, count(*)::int AS times, max(q.at) AS last,
  (array_agg(q.detail ORDER BY q.at DESC))[1] AS detail, o.object_id, o.name_ru AS object_ru, o.name_en AS object_en
FROM quarantine q
LEFT JOIN object d ON d.key = 'device/' || q.external_id
LEFT JOIN device_point p ON p.device_id = d.object_id AND p.valid_to = 'infinity'
LEFT JOIN object_now o ON o.object_id = coalesce(p.object_id, d.object_id)
WHERE q.stage = 'sign_in' AND q.at > now() - interval '1 day'
  AND (%(services)s::text[] = '{}' OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids && %(zones)s::int[])
GROUP BY q.external_id, q.reason, o.object_id, o.name_ru, o.name_en ORDER BY last DESC LIMIT %(limit)s

-- health_stuck: values that have not changed for much longer than ever before.
SELECT o.object_id, o.name_ru AS object_ru, o.name_en AS object_en, o.class AS class_, s.quantity, s.unit, c.value, c.opened,
  c.why_ru, c.why_en
FROM condition c JOIN object_now o USING (object_id) LEFT JOIN series s ON s.series_id = c.series_id
WHERE c.state = 'active' AND c.rule_id = 'device.stuck'
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])
ORDER BY c.opened DESC LIMIT %(limit)s

-- device_name: how the device of an object is known on the wire.
SELECT substr(d.key, 8) AS external_id FROM object d
WHERE d.object_id = coalesce((SELECT device_id FROM device_point
    WHERE object_id = %(id)s AND valid_to = 'infinity' ORDER BY valid_from DESC LIMIT 1), %(id)s)
  AND d.class = 'device' AND starts_with(d.key, 'device/')

-- frame_reasons: why frames of a device were set aside when they came.
SELECT q.stream, q.stream_seq, q.reason, q.detail
FROM unnest(%(streams)s::text[], %(seqs)s::bigint[]) AS f (stream, seq)
JOIN quarantine q ON q.stream = f.stream AND q.stream_seq = f.seq
WHERE q.external_id = %(external_id)s ORDER BY q.quarantine_id

-- series_known: series by id, of objects that the viewer may know.
SELECT s.series_id, s.object_id, s.quantity, s.unit FROM series s JOIN object_now o USING (object_id)
WHERE s.series_id = ANY(%(ids)s)
  AND (%(services)s::text[] = '{}' OR o.service IS NULL OR o.service = ANY(%(services)s))
  AND (%(zones)s::int[] = '{}' OR o.zone_ids = '{}' OR o.zone_ids && %(zones)s::int[])

-- backlog: hours of blocks that wait to be rolled up, up to a limit.
SELECT count(*) AS n FROM (SELECT FROM rollup_due LIMIT 100000) d

-- kept: how long each class of data is kept and how far back it reaches.
SELECT class AS kind, days, oldest, bytes, looked FROM retention ORDER BY class
