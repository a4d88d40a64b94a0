-- city_now: city time; wall time where no city clock is set.
SELECT coalesce((SELECT origin + (clock_timestamp() - wall_origin) * speed FROM city_clock), clock_timestamp()) AS now
