-- add: new addresses, and those that lie elsewhere now.
INSERT INTO address (norm, street_norm, street, house, lon, lat)
SELECT n, split_part(n, ', ', 1), s, h, x, y FROM unnest(%(norms)s::text[], %(streets)s::text[], %(houses)s::text[], %(lons)s::float8[],
  %(lats)s::float8[]) AS t (n, s, h, x, y)
ON CONFLICT (norm) DO UPDATE SET street = excluded.street, house = excluded.house, lon = excluded.lon, lat = excluded.lat
WHERE (address.lon, address.lat) IS DISTINCT FROM (excluded.lon, excluded.lat)

-- search: streets most like the words, there the house, or houses that begin so.
WITH streets AS MATERIALIZED (
  SELECT street_norm, max(likeness) AS likeness FROM (
    SELECT street_norm, greatest(similarity(street_norm, %(street)s), 0.9 * word_similarity(%(street)s, street_norm)) AS likeness
    FROM address WHERE street_norm %% %(street)s OR %(street)s <%% street_norm) s
  WHERE likeness >= %(least)s GROUP BY street_norm ORDER BY likeness DESC, street_norm LIMIT 10)
SELECT a.address_id, a.street, a.house, a.lon, a.lat,
  (s.likeness * CASE WHEN %(house)s = '' OR split_part(a.norm, ', ', 2) = %(house)s THEN 1 ELSE 0.8 END)::float8 AS likeness
FROM streets s JOIN address a USING (street_norm)
WHERE %(house)s = '' OR split_part(a.norm, ', ', 2) LIKE %(house)s || '%%'
ORDER BY likeness DESC, length(a.house), a.house, a.address_id LIMIT %(limit)s

-- nearest: within a box first, then by distance on the sphere; degrees of longitude are shorter away from the equator.
SELECT address_id, street, house, lon, lat, metres FROM (
  SELECT *, (111195 * sqrt((lat - %(lat)s) ^ 2 + ((lon - %(lon)s) * cos(radians(%(lat)s))) ^ 2))::float8 AS metres FROM address
  WHERE lat BETWEEN %(lat)s - %(metres)s / 111195 AND %(lat)s + %(metres)s / 111195
    AND lon BETWEEN %(lon)s - %(metres)s / (111195 * greatest(cos(radians(%(lat)s)), 0.01))
    AND %(lon)s + %(metres)s / (111195 * greatest(cos(radians(%(lat)s)), 0.01))) a
WHERE metres <= %(metres)s ORDER BY metres LIMIT %(limit)s

-- exact: the place of an address that is written in normal form.
SELECT norm, lon, lat FROM address WHERE norm = ANY(%(norms)s)
