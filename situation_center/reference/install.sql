-- device: a device of the registry with the point it measures.
SELECT d.object_id AS device_id, d.key AS device_key, d.attributes->>'profile' AS profile, d.life_cycle, d.service, d.zone_ids,
  p.object_id, p.key, p.class, p.name_ru, p.name_en, p.address, p.lon, p.lat
FROM object_now d JOIN device_point dp ON dp.device_id = d.object_id AND dp.valid_to = 'infinity'
JOIN object_now p ON p.object_id = dp.object_id
WHERE d.key = 'device/' || %(external_id)s

-- heard: since when and until when its point has values, and how well it is heard by radio where that is known.
SELECT max(n.received) AS last,
  max(n.value) FILTER (WHERE s.quantity = 'signal_rssi') AS rssi, max(n.value) FILTER (WHERE s.quantity = 'signal_snr') AS snr,
  first_heard(%(id)s, %(since)s) AS first
FROM series s JOIN newest n USING (series_id)
WHERE s.object_id = %(id)s AND n.received >= %(since)s

-- tied_since: from when the device measures its point.
SELECT valid_from FROM device_point WHERE device_id = %(id)s AND valid_to = 'infinity'
