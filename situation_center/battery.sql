-- due: batteries that are not at the last whole day, or of which too little is known and something new has come.
SELECT s.series_id, n.change, b.day, b.levels
FROM series s JOIN newest n USING (series_id) LEFT JOIN battery b USING (series_id)
WHERE s.quantity IN ('battery', 'battery_level') AND s.unit = '%%' AND (b.series_id IS NULL OR b.day < %(last)s
  OR b.days IS NULL AND n.change > b.change AND b.computed < now() - make_interval(secs => %(again_s)s)
    AND (SELECT count(l) FROM unnest(b.levels) AS l) < 7)
ORDER BY b.day NULLS FIRST, s.series_id LIMIT %(batch)s

-- medians: of each whole day; cold nights lower a battery for hours
SELECT r.series_id, extract(epoch FROM date_trunc('day', r.time))::int / 86400 AS day,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value) AS level
FROM readings_of(%(ids)s, %(since)s, %(until)s, NULL, 2147483647, '-infinity', '{}', '{}') r GROUP BY 1, 2

-- put: the newest state of one battery
INSERT INTO battery (series_id, day, levels, days, change) VALUES (%(series_id)s, %(day)s, %(levels)s, %(days)s, %(change)s)
ON CONFLICT (series_id) DO UPDATE SET day = excluded.day, levels = excluded.levels, days = excluded.days,
  change = excluded.change, computed = now()
