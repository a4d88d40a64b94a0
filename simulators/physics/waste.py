"""Waste: bins fill by the day and are emptied in the morning; a fire heats one up. Gateways hear them."""

import numpy as np
from numpy.typing import NDArray

from simulators.physics.kind import Kind
from simulators.physics.rhythm import (
    DAY_S,
    REGISTERS_START,
    UTC_OFFSET_S,
    Array,
    Waves,
    clipped,
    hour_of_day,
    sun_elevation_deg,
)
from simulators.physics.weather import Weather
from simulators.world import World

COLLECTED_HOUR = 6.5
FULL_PERCENT = 84.0
CHANGED_PERCENT = 18.0
BATTERY_DRAIN = (0.04, 0.4)
FIRE_CEL = 320.0
FIRE_RISE_S = 150.0
ALARM_CEL = 70.0


class Bins(Kind):
    """Bins: fill, temperature, tilt, battery. Above 70 degrees they report every 60 s."""

    interval_s, history_step_s, digits = 300.0, 6 * 3600.0, 1

    def __init__(self, world: World, weather: Weather) -> None:
        super().__init__(world.devices["bin"], world.seed, 51)
        n = len(self.devices)
        self._weather = weather
        self._rate = self.attribute("fill_percent_day", 20.0)
        self._cycle_days = np.maximum(1, np.floor(FULL_PERCENT / self._rate))
        self._phase_days = np.floor(self.rng.uniform(0, self._cycle_days))
        self._waves = Waves(self.rng, n, ((0.7, 2000, 9000), (0.6, 20000, 90000)))
        self._tilt, charge = self.rng.uniform(0, 4, n), self.rng.uniform(0, 1, n)
        # Percent a day; every sensor gets a new battery at CHANGED_PERCENT, each at its own time.
        self._drain = BATTERY_DRAIN[0] + (BATTERY_DRAIN[1] - BATTERY_DRAIN[0]) * charge**2
        self._drained = (100.0 - CHANGED_PERCENT) * (charge * 7919.0 % 1.0)
        self.fire_from = np.full(n, np.inf)
        self.fire_to = np.full(n, -np.inf)
        self.heard = np.ones(n, bool)
        self._alarm_told = np.full(n, -np.inf)

    def nominal(self, t: Array) -> dict[str, Array]:
        n = len(self.devices)
        days = (t - REGISTERS_START + UTC_OFFSET_S) / DAY_S - COLLECTED_HOUR / 24.0
        since = (days[None, :] + self._phase_days[:, None]) % self._cycle_days[:, None]
        waking = 0.12 * np.sin(2 * np.pi * (hour_of_day(t) - 15.0) / 24.0)
        fill = self._rate[:, None] * since * (1 + waking * (since > 0.5)) + 1.0
        sun = 6.0 * np.clip(np.sin(np.radians(sun_elevation_deg(t))), 0, None) * (1 - self._weather.clouds(t))
        temperature = self._weather.temperature_cel(t) + 1.5 + sun + self._waves(t)
        return {
            "fill": np.clip(fill, 0, 96),
            "temperature": temperature,
            "tilt": np.repeat(self._tilt[:, None], len(t), axis=1).reshape(n, -1),
            "battery": 100.0 - self._used(t),
        }

    def _used(self, t: Array) -> Array:
        days = (t - REGISTERS_START) / DAY_S
        used: Array = (self._drained[:, None] + self._drain[:, None] * days[None, :]) % (100.0 - CHANGED_PERCENT)
        return used

    def now(self, t: float) -> dict[str, Array]:
        values = super().now(t)
        values["temperature"] = values["temperature"] + self._fire_cel(t)
        return values

    def _fire_cel(self, t: float) -> Array:
        burning = np.clip(np.minimum(t, self.fire_to) - self.fire_from, 0, None)
        cooling = np.clip(t - self.fire_to, 0, None)
        heat: Array = FIRE_CEL * (1 - np.exp(-burning / FIRE_RISE_S)) * np.exp(-cooling / FIRE_RISE_S)
        return np.where(np.isfinite(self.fire_from), heat, 0.0)

    def alive(self, t: float) -> NDArray[np.bool_]:
        return self.heard

    def urgent(self, t: float) -> NDArray[np.intp]:
        hot = self._fire_cel(t) > ALARM_CEL
        rows = np.flatnonzero(hot & self.heard & (t - self._alarm_told >= 60.0))
        self._alarm_told[rows] = t
        return rows


class Gateways(Kind):
    """LoRaWAN gateways: a heartbeat a minute with the frames heard since the last one."""

    interval_s, history_step_s, digits = 60.0, 6 * 3600.0, 1

    def __init__(self, world: World, weather: Weather) -> None:
        super().__init__(world.devices["gateway"], world.seed, 52)
        n = len(self.devices)
        self._weather = weather
        self.up = np.ones(n, bool)
        specs = [p.device for kind in ("bin", "lamp") for p in world.devices[kind] if p.device]
        heard = [
            sum(g.device.external_id in s.attributes.get("gateways", []) for s in specs)
            for g in self.devices
            if g.device
        ]
        self._mean = np.array(heard) / 5.0
        self._waves = Waves(self.rng, n, ((0.8, 3000, 9000),))

    def nominal(self, t: Array) -> dict[str, Array]:
        frames = clipped(np.round(self._mean[:, None] * (1 + 0.1 * self._waves(t))), 0.0, None)
        return {"frames": frames, "temperature": self._weather.temperature_cel(t) + 14.0 + self._waves(t)}

    def alive(self, t: float) -> NDArray[np.bool_]:
        return self.up
