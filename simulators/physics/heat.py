"""District heating: house meters follow the weather by the heating curve of the boiler house."""

import numpy as np

from simulators.physics.kind import Kind
from simulators.physics.rhythm import DAY_S, Array, Integral, Waves, clipped, home
from simulators.physics.weather import Weather
from simulators.world import World

KWH_PER_M3_CEL = 1.163
COMFORT_CEL = 18.0
HOT_WATER_SHARE = 0.18


class HeatMeters(Kind):
    """House meters: power, energy, volume, flow, supply and return temperature."""

    interval_s = 900.0

    def __init__(self, world: World, weather: Weather, until: float) -> None:
        super().__init__(world.devices["heat_meter"], world.seed, 31)
        n = len(self.devices)
        self._weather = weather
        self._full_kw = 22.0 * self.attribute("floors", 5.0) * self.rng.uniform(0.8, 1.25, n)
        self._waves = Waves(self.rng, n, ((0.03, 2000, 6000), (0.04, 1 * DAY_S, 5 * DAY_S)))
        self._supply_waves = Waves(self.rng, n, ((0.6, 1500, 5000), (0.8, 9000, 40000)))
        self._loss_cel = self.rng.uniform(0.5, 4.0, n)
        self._start_kwh, self._start_m3 = self.rng.uniform(1e5, 2e6, n), self.rng.uniform(1e3, 4e4, n)
        self._energy = Integral(self._demand, until)
        self._volume = Integral(lambda t: self._demand(t) / (KWH_PER_M3_CEL * self._drop_cel(t)), until)

    def _demand(self, t: Array) -> Array:
        """Share of full power: heating by outdoor temperature plus hot water by the hour."""
        cold = np.clip((COMFORT_CEL - self._weather.temperature_cel(t)) / 36.0, 0.0, 1.0)
        return cold + HOT_WATER_SHARE * home(t)

    def _supply_cel(self, t: Array) -> Array:
        """The heating curve, never below what hot water needs."""
        return clipped(60.0 + 1.7 * (10.0 - self._weather.temperature_cel(t)), 60.0, 115.0)

    def _drop_cel(self, t: Array) -> Array:
        return 0.38 * (self._supply_cel(t) - 18.0)

    def nominal(self, t: Array) -> dict[str, Array]:
        power = self._full_kw[:, None] * self._demand(t) * (1 + self._waves(t))
        supply = self._supply_cel(t) - self._loss_cel[:, None] + self._supply_waves(t)
        drop = self._drop_cel(t)
        return {
            "power": power,
            "energy": self._start_kwh[:, None] + self._full_kw[:, None] * self._energy(t),
            "volume": self._start_m3[:, None] + self._full_kw[:, None] * self._volume(t),
            "flow": power / (KWH_PER_M3_CEL * drop),
            "supply": supply,
            "return": supply - drop,
        }
