"""Weather of the demo city: temperature, wind, humidity, pressure, clouds as smooth functions of time and seed."""

from dataclasses import dataclass

import numpy as np

from simulators.physics.rhythm import DAY_S, Array, Waves, clipped, hour_of_day, sun_elevation_deg


@dataclass(frozen=True, slots=True)
class Weather:
    """One weather for the whole city; every method takes an array of epoch seconds."""

    waves: Waves

    def temperature_cel(self, t: Array) -> Array:
        """Air temperature: season, time of day, passing fronts. Novorossiysk: about 4 in January, 25 in July."""
        season = 14.0 - 10.5 * np.cos(2 * np.pi * (t / DAY_S - 20.0) / 365.2425)
        daily = 3.2 * np.cos(2 * np.pi * (hour_of_day(t) - 14.5) / 24.0)
        result: Array = season + daily + 3.0 * self.waves(t)[0]
        return result

    def wind_ms(self, t: Array) -> Array:
        """Mean wind speed."""
        return clipped(4.5 + 2.6 * self.waves(t)[1], 0.3, None)

    def wind_deg(self, t: Array) -> Array:
        """Where the wind comes from: the north-east most of the time."""
        result: Array = (48.0 + 55.0 * self.waves(t)[2]) % 360.0
        return result

    def humidity_percent(self, t: Array) -> Array:
        """Relative humidity, higher at night."""
        night = -9.0 * np.cos(2 * np.pi * (hour_of_day(t) - 14.5) / 24.0)
        return clipped(72.0 + night + 9.0 * self.waves(t)[3], 20.0, 100.0)

    def pressure_hpa(self, t: Array) -> Array:
        """Pressure at sea level."""
        result: Array = 1016.0 + 6.0 * self.waves(t)[4]
        return result

    def clouds(self, t: Array) -> Array:
        """Cloud cover 0-1."""
        return clipped(0.5 + 0.45 * self.waves(t)[5], 0.0, 1.0)

    def illuminance_lx(self, t: Array) -> Array:
        """Daylight on the ground, twilight included."""
        height = sun_elevation_deg(t)
        day = 105_000.0 * np.clip(np.sin(np.radians(height)), 0.0, None) ** 1.2
        twilight = 450.0 * np.exp(np.clip(height, -18.0, 0.0) * 0.9) * (height < 6.0)
        return (day + twilight) * (1.0 - 0.75 * self.clouds(t))


def weather(seed: int) -> Weather:
    """The weather of a seed."""
    rng = np.random.default_rng([seed, 1])
    return Weather(
        Waves(rng, 6, ((0.6, 5 * DAY_S, 9 * DAY_S), (0.5, 2 * DAY_S, 4 * DAY_S), (0.25, 0.3 * DAY_S, 0.9 * DAY_S)))
    )
