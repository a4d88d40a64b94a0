-- series: what says where an object is; of several channels the first counts.
SELECT DISTINCT ON (quantity) quantity, series_id FROM series
WHERE object_id = %(object)s AND quantity = ANY(%(quantities)s) ORDER BY quantity, channel, series_id

-- readings: what these series said, newest first.
SELECT series_id, time, value FROM readings_of(%(series)s, %(since)s, %(until)s::timestamptz + interval '1 us', NULL, 2147483647, 'infinity', %(services)s, %(zones)s)
ORDER BY time DESC LIMIT %(limit)s

-- movers: series of the places of all that moves, with the newest fix where both have one time.
SELECT DISTINCT ON (o.object_id) o.object_id, x.series_id AS lon_series, y.series_id AS lat_series, a.value AS lon, b.value AS lat,
  a.time FROM series x JOIN series y USING (object_id, channel) JOIN object_now o USING (object_id)
LEFT JOIN newest a ON a.series_id = x.series_id LEFT JOIN newest b ON b.series_id = y.series_id AND b.time = a.time
WHERE x.quantity = 'longitude' AND y.quantity = 'latitude' AND o.class <> 'device' ORDER BY o.object_id, channel, x.series_id
