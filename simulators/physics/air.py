"""Air: particles and nitrogen dioxide from streets, heating and the port, carried by the wind; episodes on top."""

import numpy as np

from simulators.geometry import distance_km
from simulators.physics.kind import Kind
from simulators.physics.rhythm import DAY_S, Array, Waves, clipped, road
from simulators.physics.weather import Weather
from simulators.world import World

RISE_S = 90.0
PLUME_KM = 0.9


class AirStations(Kind):
    """Stations: PM2.5, PM10, NO2, weather, once a minute."""

    interval_s, digits = 60.0, 1

    def __init__(self, world: World, weather: Weather) -> None:
        super().__init__(world.devices["air_station"], world.seed, 61)
        n = len(self.devices)
        self._weather = weather
        self._road = self.attribute("road_share", 1.0)
        self._city = Waves(self.rng, 1, ((0.22, 1.5 * DAY_S, 4 * DAY_S), (0.12, 20000, 60000)))
        self._local = Waves(self.rng, n, ((0.06, 500, 1500), (0.08, 3000, 9000), (0.05, 30000, 90000)))
        self._bias = self.rng.normal(0, 0.4, n)
        self.episode_ugm3 = np.zeros(n)
        self.episode_from, self.episode_to = np.inf, -np.inf

    def _stale(self, t: Array) -> Array:
        """How much stays in the street: calm air keeps it, wind takes it away."""
        result: Array = clipped(1.9 / (0.6 + 0.28 * self._weather.wind_ms(t)), 0.35, 1.9) * (1 + self._city(t)[0])
        return result

    def nominal(self, t: Array) -> dict[str, Array]:
        n = len(self.devices)
        streets = self._road[:, None] * road(t)
        cold = np.clip((14 - self._weather.temperature_cel(t)) / 14, 0, 1.5)
        local = np.clip(1 + self._local(t), 0.2, None)
        fine = (6.0 + 5.5 * streets + 5.0 * cold) * self._stale(t) * local
        return {
            "pm25": fine,
            "pm10": fine * 1.5 + 6.0 * local,
            "no2": (7.0 + 22.0 * streets) * self._stale(t) * local,
            "temperature": self._weather.temperature_cel(t) + self._bias[:, None],
            "humidity": np.repeat(self._weather.humidity_percent(t)[None, :], n, axis=0),
            "pressure": np.repeat(self._weather.pressure_hpa(t)[None, :], n, axis=0),
            "wind_speed": np.clip(self._weather.wind_ms(t) * (1 + 3 * self._local(t)), 0, None),
            "wind_direction": (self._weather.wind_deg(t) + 60 * self._local(t)) % 360.0,
        }

    def now(self, t: float) -> dict[str, Array]:
        values = super().now(t)
        rising = 1 - np.exp(-max(0.0, min(t, self.episode_to) - self.episode_from) / RISE_S)
        extra = self.episode_ugm3 * rising * np.exp(-max(0.0, t - self.episode_to) / (4 * RISE_S))
        if np.isfinite(self.episode_from):
            values["pm25"] = values["pm25"] + extra
            values["pm10"] = values["pm10"] + 1.4 * extra
        return values

    def start_episode(self, row: int, span: tuple[float, float], *, peak_ugm3: float) -> None:
        """A source next to a station; its neighbours get less with distance."""
        at = [(p.lon or 0.0, p.lat or 0.0) for p in self.devices]
        far = np.array([distance_km(at[row], place) for place in at])
        self.episode_ugm3 = peak_ugm3 * np.exp(-((far / PLUME_KM) ** 2))
        self.episode_from, self.episode_to = span
