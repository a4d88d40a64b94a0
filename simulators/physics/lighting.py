"""Street lighting: lamps follow the sun and a dimming programme, or an order; a dead cabinet takes its lamps down."""

import numpy as np
from numpy.typing import NDArray

from simulators.physics.kind import Answer, Args, Kind
from simulators.physics.rhythm import Array, Integral, Waves, hour_of_day, sun_elevation_deg
from simulators.physics.weather import Weather
from simulators.world import World

ON_BELOW_DEG = -2.0
NIGHT_LEVEL = 70.0
STANDBY_W = 0.8
BATTERY_VOLTS = 0.0  # what the controller measures on the line when it lives on its battery


def programme(t: Array) -> Array:
    """Level in percent: off by day, full in the evening, 70 % from 23:00 to 05:00."""
    hour = hour_of_day(t)
    night = np.where((hour >= 23) | (hour < 5), NIGHT_LEVEL, 100.0)
    return np.where(sun_elevation_deg(t) < ON_BELOW_DEG, night, 0.0)


class Lamps(Kind):
    """Lamps: level, power, energy. An order holds until the programme changes its level."""

    interval_s, history_step_s = 300.0, 8 * 3600.0

    def __init__(self, world: World, until: float) -> None:
        super().__init__(world.devices["lamp"], world.seed, 41)
        n = len(self.devices)
        self.rated_w = self.attribute("rated_w", 100.0)
        self.order = np.full(n, np.nan)
        self._ordered_at_programme = np.zeros(n)
        self.powered = np.ones(n, bool)
        self.heard = np.ones(n, bool)
        self._changed: list[int] = []
        self._waves = Waves(self.rng, n, ((0.01, 500, 3000), (0.015, 20000, 90000)))
        self._start_kwh = self.rng.uniform(50, 900, n)
        self._hours = Integral(lambda t: programme(t) / 100.0, until)
        self.is_lora = np.array([p.device is not None and p.device.protocol == "chirpstack" for p in self.devices])

    def nominal(self, t: Array) -> dict[str, Array]:
        level = np.repeat(programme(t)[None, :], len(self.devices), axis=0)
        energy = self._start_kwh[:, None] + self.rated_w[:, None] / 1000.0 * self._hours(t)
        return {"level": level, "power": self._power(level) * (1 + self._waves(t)), "energy": energy}

    def _power(self, level: Array) -> Array:
        return np.where(level > 0, self.rated_w[:, None] * (0.06 + 0.94 * level / 100.0), STANDBY_W)

    def levels(self, t: float) -> Array:
        """What each lamp is set to now."""
        planned = float(programme(np.array([t]))[0])
        self.order[self._ordered_at_programme != planned] = np.nan
        return np.where(np.isnan(self.order), planned, self.order)

    def now(self, t: float) -> dict[str, Array]:
        values = super().now(t)
        level = self.levels(t)
        waves = 1 + self._waves(np.array([t]))[:, 0]
        power = self._power(level[:, None])[:, 0] * waves
        return {"level": level, "power": power, "energy": values["energy"]}

    def alive(self, t: float) -> NDArray[np.bool_]:
        return self.powered & self.heard

    def set_level(self, row: int, level: float, t: float) -> None:
        """An order to one lamp; it reports at once."""
        self.order[row] = level
        self._ordered_at_programme[row] = float(programme(np.array([t]))[0])
        self._changed.append(row)

    def urgent(self, t: float) -> NDArray[np.intp]:
        rows, self._changed = np.unique(np.array(self._changed, np.intp)), []
        return rows[self.alive(t)[rows]]

    def answer(self, row: int, action: str, args: Args, *, t: float) -> Answer | None:
        if not self.alive(t)[row]:
            return None
        level = ordered_level(action, args)
        if level is None:
            return Answer(False, f"cannot {action} {args}")
        self.set_level(row, level, t)
        return Answer(True)

    def state(self) -> dict[str, list[float]]:
        held = np.where(np.isnan(self.order), -1.0, self.order)
        return {"order": held.tolist(), "programme": self._ordered_at_programme.tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        held = np.array(state["order"])
        self.order = np.where(held < 0, np.nan, held)
        self._ordered_at_programme = np.array(state["programme"])


class Cabinets(Kind):
    """Cabinet controllers: line voltage, power and level of their lamps, daylight, door. They outlive an outage."""

    interval_s = 60.0

    def __init__(self, world: World, lamps: Lamps, weather: Weather) -> None:
        super().__init__(world.devices["cabinet"], world.seed, 42)
        n = len(self.devices)
        self._lamps, self._weather = lamps, weather
        self.supplied = np.ones(n, bool)
        self._of = np.array([self.row[p.parent or ""] for p in lamps.devices])
        self._waves = Waves(self.rng, n, ((1.5, 600, 3000), (1.5, 6000, 30000)))
        self._lux_share = self.rng.uniform(0.85, 1.1, n)
        self._changed: list[int] = []

    def _total(self, per_lamp: Array) -> Array:
        out = np.zeros((len(self.devices), per_lamp.shape[1]))
        np.add.at(out, self._of, per_lamp)
        return out

    def nominal(self, t: Array) -> dict[str, Array]:
        lamps = self._lamps.nominal(t)
        count = self._total(np.ones((len(self._of), 1)))
        return {
            "voltage": 229.0 + self._waves(t),
            "power": self._total(lamps["power"]) / 1000.0,
            "energy": self._total(lamps["energy"]),
            "level": self._total(lamps["level"]) / count,
            "illuminance": self._lux_share[:, None] * self._weather.illuminance_lx(t),
            "door": np.zeros((len(self.devices), len(t))),
        }

    def now(self, t: float) -> dict[str, Array]:
        self._lamps.powered = self.supplied[self._of]
        values = {key: v[:, 0] for key, v in self.nominal(np.array([t])).items()}
        lamps = self._lamps.now(t)
        lit = self._lamps.powered
        count = np.bincount(self._of)
        values["power"] = np.bincount(self._of, lamps["power"] * lit) / 1000.0
        values["level"] = np.bincount(self._of, lamps["level"] * lit) / count
        values["voltage"] = np.where(self.supplied, values["voltage"], BATTERY_VOLTS)
        return values

    def set_supply(self, row: int, supplied: bool) -> None:
        """Cuts or restores the mains; the controller reports at once."""
        if self.supplied[row] != supplied:
            self.supplied[row] = supplied
            self._lamps.powered = self.supplied[self._of]
            self._changed.append(row)

    def urgent(self, t: float) -> NDArray[np.intp]:
        rows, self._changed = np.unique(np.array(self._changed, np.intp)), []
        return rows

    def answer(self, row: int, action: str, args: Args, *, t: float) -> Answer | None:
        level = ordered_level(action, args)
        if level is None:
            return Answer(False, f"cannot {action} {args}")
        if not self.supplied[row]:
            return Answer(False, "no supply")
        for lamp in np.flatnonzero(self._of == row):
            self._lamps.set_level(int(lamp), level, t)
        self._changed.append(row)
        return Answer(True)


def ordered_level(action: str, args: Args) -> float | None:
    """The level that an action asks for; None if it is not understood."""
    if action in ("on", "off"):
        return 100.0 if action == "on" else 0.0
    level = args.get("level")
    if action == "dim" and isinstance(level, int | float) and 0 <= level <= 100:
        return float(level)
    return None
