-- clear: before all gateways are written anew; who reads meanwhile sees them as they were
DELETE FROM radio_gateway

-- fill: what each gateway hears. One that had fewer than one frame in fifty of a device's best one does not count as
-- hearing it; losses are those of the devices that it hears best.
WITH link AS (SELECT l.*, max(l.frames) OVER (PARTITION BY l.device_id) AS best FROM radio_link l),
counted AS (SELECT link.*, count(*) OVER (PARTITION BY device_id) AS several FROM link WHERE frames * 50 >= best)
INSERT INTO radio_gateway (gateway, devices, alone, rssi, snr, heard, loss)
SELECT c.gateway, count(*), count(*) FILTER (WHERE c.several = 1), avg(c.rssi), avg(c.snr), max(c.last_heard),
  sum(r.month_lost) FILTER (WHERE c.frames = c.best)::float8
    / nullif(sum(r.month_frames + r.month_lost) FILTER (WHERE c.frames = c.best), 0)
FROM counted c JOIN radio_device r USING (device_id) GROUP BY c.gateway
