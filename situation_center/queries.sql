-- city_now: city time; wall time where no city clock is set.
SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS now

-- add_outbox: a message that leaves when this transaction is committed.
INSERT INTO outbox (subject, msg_id, payload) VALUES (%s, %s, %s)
