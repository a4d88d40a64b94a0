"""Power: house meters and feeder bays; a feeder carries its metered houses, others like them and losses."""

import numpy as np

from simulators.physics.kind import Kind
from simulators.physics.rhythm import DAY_S, Array, Integral, Waves, home, work
from simulators.physics.weather import Weather
from simulators.world import World

HOUSES_PER_METER = 6.0
LOSS_SHARE = 0.05
VOLTS = 231.0


class PowerMeters(Kind):
    """House meters: power, register, voltage."""

    interval_s = 900.0

    def __init__(self, world: World, weather: Weather, until: float) -> None:
        super().__init__(world.devices["power_meter"], world.seed, 21)
        n = len(self.devices)
        self._weather = weather
        self.base_kw = 4.0 * self.attribute("floors", 3.0) * self.rng.uniform(0.8, 1.3, n)
        self._share = np.clip(self.rng.normal(0.75, 0.15, n), 0.1, 1.0)
        self._waves = Waves(self.rng, n, ((0.07, 900, 3000), (0.06, 4000, 14000), (0.05, 2 * DAY_S, 6 * DAY_S)))
        self._volt_waves = Waves(self.rng, n, ((1.2, 600, 3000), (1.5, 5000, 20000)))
        self._start_kwh = self.rng.uniform(1_000, 90_000, n)
        self._home = Integral(lambda t: home(t) * self._season(t), until)
        self._work = Integral(lambda t: work(t) * self._season(t), until)

    def _season(self, t: Array) -> Array:
        """Electric heaters below 12 degrees, air conditioning above 24."""
        temperature = self._weather.temperature_cel(t)
        heaters, coolers = np.clip(12 - temperature, 0, None), np.clip(temperature - 24, 0, None)
        factor: Array = 1.0 + 0.018 * heaters + 0.03 * coolers
        return factor

    def power(self, t: Array) -> Array:
        """True power of each house, kW."""
        mix = self._share[:, None] * home(t) + (1 - self._share)[:, None] * work(t)
        return self.base_kw[:, None] * mix * self._season(t) * np.clip(1 + self._waves(t), 0.1, None)

    def nominal(self, t: Array) -> dict[str, Array]:
        power = self.power(t)
        mix = self._share[:, None] * self._home(t) + (1 - self._share)[:, None] * self._work(t)
        droop = 5.0 * power / (2.0 * self.base_kw[:, None])
        return {
            "power": power,
            "energy": self._start_kwh[:, None] + self.base_kw[:, None] * mix,
            "voltage": VOLTS + 2.0 - droop + self._volt_waves(t),
        }


class FeederMeters(Kind):
    """Feeder bays: power, register, voltage, current, frequency, once a minute."""

    interval_s, history_step_s = 60.0, 1800.0

    def __init__(self, world: World, meters: PowerMeters) -> None:
        super().__init__(world.devices["feeder_meter"], world.seed, 22)
        n = len(self.devices)
        self._meters = meters
        self._sum = np.array([[m.parent == f.key for m in meters.devices] for f in self.devices], float)
        self._sum *= HOUSES_PER_METER * (1 + LOSS_SHARE)
        self._waves = Waves(self.rng, n, ((0.01, 300, 1200), (0.015, 2 * DAY_S, 7 * DAY_S)))
        self._grid = Waves(self.rng, 1, ((0.012, 200, 900), (0.015, 3000, 9000)))
        self._start_kwh = self.rng.uniform(1e6, 9e6, n)

    def nominal(self, t: Array) -> dict[str, Array]:
        houses = self._meters.nominal(t)
        power = (self._sum @ houses["power"]) * (1 + self._waves(t))
        full = (self._sum @ self._meters.base_kw)[:, None]
        voltage = VOLTS + 3.0 - 4.0 * power / (2.0 * full) + 40.0 * self._waves(t)
        return {
            "power": power,
            "energy": self._start_kwh[:, None] + self._sum @ houses["energy"],
            "voltage": voltage,
            "current": power * 1000.0 / (3.0 * voltage * 0.95),
            "frequency": 50.0 + np.repeat(self._grid(t), len(self.devices), axis=0),
        }
