"""Water: house meters, district inlets (sum of their meters, losses, leaks) and valves that cut them off."""

import numpy as np
from numpy.typing import NDArray

from simulators.physics.kind import Answer, Args, Kind
from simulators.physics.rhythm import DAY_S, Array, Integral, Waves, home, work
from simulators.world import World

HOME_SHARE = 0.8
LOSS_SHARE = 0.06
STROKE_S = 20.0
CLOSED_PERCENT = 3.0


class Valves(Kind):
    """Two valves a metering district: 1 shuts the district, 2 its seaward section."""

    interval_s, history_step_s, digits = 300.0, 6 * 3600.0, 1

    def __init__(self, world: World) -> None:
        super().__init__(world.devices["valve"], world.seed, 11)
        n = len(self.devices)
        self.start_position, self.target, self.moved_at = np.full(n, 100.0), np.full(n, 100.0), np.zeros(n)
        self._told = np.full(n, 100.0)

    def position(self, t: float) -> Array:
        """Percent open: a stroke of 20 s from end to end."""
        step = np.maximum(t - self.moved_at, 0.0) / STROKE_S * 100.0
        gap = self.target - self.start_position
        result: Array = self.start_position + np.sign(gap) * np.minimum(np.abs(gap), step)
        return result

    def nominal(self, t: Array) -> dict[str, Array]:
        return {"position": np.full((len(self.devices), len(t)), 100.0)}

    def now(self, t: float) -> dict[str, Array]:
        position = self.position(t)
        return {"position": position}

    def urgent(self, t: float) -> NDArray[np.intp]:
        """A valve tells when its stroke is over."""
        arrived = (np.abs(self.position(t) - self.target) < 0.01) & (self._told != self.target)
        self._told[arrived] = self.target[arrived]
        return np.flatnonzero(arrived)

    def answer(self, row: int, action: str, args: Args, *, t: float) -> Answer | None:
        if action not in ("open", "close"):
            return Answer(False, f"unknown action {action}")
        self.start_position[row] = self.position(t)[row]
        self.target[row] = 100.0 if action == "open" else 0.0
        self.moved_at[row] = t
        self._told[row] = -1.0
        return Answer(True)

    def state(self) -> dict[str, list[float]]:
        return {"target": self.target.tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        self.target = np.array(state["target"])
        self.start_position, self._told = self.target.copy(), self.target.copy()


class WaterMeters(Kind):
    """House meters: flow and register, by the number of floors."""

    interval_s = 900.0

    def __init__(self, world: World, valves: Valves, until: float) -> None:
        super().__init__(world.devices["water_meter"], world.seed, 12)
        n = len(self.devices)
        self._valves = valves
        self.base_m3h = 0.12 * self.attribute("floors", 3.0) * self.rng.uniform(0.8, 1.3, n) + 0.15
        self._share = np.clip(self.rng.normal(HOME_SHARE, 0.15, n), 0.2, 1.0)
        self._waves = Waves(self.rng, n, ((0.08, 1200, 4000), (0.07, 4000, 15000), (0.05, 2 * DAY_S, 6 * DAY_S)))
        self._start_m3 = self.rng.uniform(200, 4000, n)
        self._home, self._work = Integral(home, until), Integral(work, until)
        self._missed_m3, self._last_t = np.zeros(n), 0.0
        zone = {p.key: p.parent for p in valves.devices}
        self._inlet_valve = np.array([self._valve(zone, p.parent, "-1") for p in self.devices])
        self._section_valve = np.array([self._valve(zone, p.parent, "-2") for p in self.devices])
        self._in_section = self.attribute("section", 1.0) == 2.0

    def _valve(self, zone: dict[str, str | None], parent: str | None, suffix: str) -> int:
        return next(self._valves.row[k] for k, z in zone.items() if z == parent and k.endswith(suffix))

    def flow(self, t: Array) -> Array:
        """True flow of each meter, (n, len(t)), valves open."""
        mix = self._share[:, None] * home(t) + (1 - self._share)[:, None] * work(t)
        return self.base_m3h[:, None] * mix * np.clip(1 + self._waves(t), 0.1, None)

    def open_share(self, t: float) -> Array:
        """0-1: what the valves let through to each meter."""
        position = self._valves.position(t) / 100.0
        section = np.where(self._in_section, position[self._section_valve], 1.0)
        share: Array = np.sqrt(np.clip(np.minimum(position[self._inlet_valve], section), 0, 1))
        return share

    def nominal(self, t: Array) -> dict[str, Array]:
        mix = self._share[:, None] * self._home(t) + (1 - self._share)[:, None] * self._work(t)
        volume = self._start_m3[:, None] + self.base_m3h[:, None] * mix - self._missed_m3[:, None]
        return {"flow": self.flow(t), "volume": volume}

    def now(self, t: float) -> dict[str, Array]:
        values = super().now(t)
        share = self.open_share(t)
        if self._last_t:
            self._missed_m3 += values["flow"] * (1 - share) * (t - self._last_t) / 3600.0
        self._last_t = t
        return {"flow": values["flow"] * share, "volume": values["volume"]}

    def state(self) -> dict[str, list[float]]:
        return {"missed_m3": self._missed_m3.tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        self._missed_m3 = np.array(state["missed_m3"])


class Inlets(Kind):
    """District inlets: flow = sum of the district's meters x (1 + losses) + leaks; pressure falls with flow."""

    interval_s, history_step_s = 60.0, 900.0

    def __init__(self, world: World, meters: WaterMeters, valves: Valves) -> None:
        super().__init__(world.devices["district_inlet"], world.seed, 13)
        n = len(self.devices)
        self._meters, self._valves = meters, valves
        self.leak_m3h = np.zeros(n)
        self._sum = np.array([[m.parent == inlet.parent for m in meters.devices] for inlet in self.devices], float)
        self._waves = Waves(self.rng, n, ((0.012, 300, 900), (0.02, 2 * DAY_S, 7 * DAY_S)))
        self._start_m3 = self.rng.uniform(100_000, 900_000, n)
        self._extra_m3, self._last_t = np.zeros(n), 0.0
        self._head_bar = self.rng.uniform(4.2, 5.4, n)
        self.full_m3h = self._sum @ meters.base_m3h
        zone = {p.parent: p.key[:-2] for p in valves.devices}
        self._valve_rows = [
            (valves.row[f"{zone[p.parent]}-1"], valves.row[f"{zone[p.parent]}-2"]) for p in self.devices
        ]

    def nominal(self, t: Array) -> dict[str, Array]:
        true = (1 + LOSS_SHARE) * (self._sum @ self._meters.flow(t))
        volume = (1 + LOSS_SHARE) * (self._sum @ self._meters.nominal(t)["volume"])
        flow = true * (1 + self._waves(t))
        return {
            "flow": flow,
            "volume": self._start_m3[:, None] + volume,
            "pressure": self._pressure(flow),
        }

    def _pressure(self, flow: Array) -> Array:
        """A demand of twice the usual takes about 0.9 bar."""
        return self._head_bar[:, None] - 0.3 * (flow / self.full_m3h[:, None]) ** 1.6

    def now(self, t: float) -> dict[str, Array]:
        values = {key: v[:, 0] for key, v in self.nominal(np.array([t])).items()}
        meters = self._meters.flow(np.array([t]))[:, 0] * self._meters.open_share(t)
        waves = 1 + self._waves(np.array([t]))[:, 0]
        flow = ((1 + LOSS_SHARE) * (self._sum @ meters) + self._leaks(t)) * waves
        if self._last_t:
            self._extra_m3 += self._leaks(t) * (t - self._last_t) / 3600.0
        self._last_t = t
        volume = values["volume"] + self._extra_m3
        return {"flow": flow, "volume": volume, "pressure": self._pressure(flow[:, None])[:, 0]}

    def _leaks(self, t: float) -> Array:
        """Leaks lie in the seaward section: either valve of the district stops them."""
        position = self._valves.position(t)
        least = np.array([min(position[a], position[b]) for a, b in self._valve_rows])
        return self.leak_m3h * np.where(least < CLOSED_PERCENT, 0.0, np.sqrt(least / 100.0))

    def state(self) -> dict[str, list[float]]:
        return {"extra_m3": self._extra_m3.tolist()}

    def restore(self, state: dict[str, list[float]]) -> None:
        self._extra_m3 = np.array(state["extra_m3"])
