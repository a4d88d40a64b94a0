"""Faults of the demo city on a time line fixed by the seed, each with its truth. The fleet applies what is due."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from simulators.physics.city import City
from simulators.world import World

EPISODE_PEAK_UGM3 = 420.0
LEAK_SHARE = 1.3  # of the full flow of the district
MINUTE_S = 60.0
Span = tuple[float, float]  # city time from, to; epoch seconds
GAP_S = (75.0, 600.0)  # between the first faults: for ten minutes at 1x, for ninety at 60x


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault. Times in city seconds since the start of the time line."""

    kind: str
    key: str  # the object on which it must be found
    start_s: float
    end_s: float
    rules: tuple[str, ...]  # any of them finds it
    max_delay_s: float


@dataclass(frozen=True, slots=True)
class FaultKind:
    """How a fault is planted and taken back, and by when the city must have seen it."""

    name: str
    cls: str
    lasts_s: float
    rules: tuple[str, ...]
    max_delay_s: float
    start: Callable[[City, int, Span], None]
    end: Callable[[City, int], None]


def _leak(city: City, row: int, _: Span) -> None:
    city.inlets.leak_m3h[row] = LEAK_SHARE * city.inlets.full_m3h[row]


def _no_leak(city: City, row: int) -> None:
    city.inlets.leak_m3h[row] = 0.0


def _cabinet_out(city: City, row: int, _: Span) -> None:
    city.cabinets.set_supply(row, False)


def _cabinet_back(city: City, row: int) -> None:
    city.cabinets.set_supply(row, True)


def _fire(city: City, row: int, span: Span) -> None:
    city.bins.fire_from[row], city.bins.fire_to[row] = span


def _fire_out(_: City, __: int) -> None:
    """A fire ends by itself: the bin cools down."""


def _episode(city: City, row: int, span: Span) -> None:
    city.air.start_episode(row, span, peak_ugm3=EPISODE_PEAK_UGM3)


def _episode_over(_: City, __: int) -> None:
    """The wind clears the plume after its end."""


def _gateway_off(city: City, row: int, _: Span) -> None:
    city.gateways.up[row] = False
    city.silence()


def _gateway_on(city: City, row: int) -> None:
    city.gateways.up[row] = True
    city.silence()


KINDS = {
    kind.name: kind
    for kind in (
        FaultKind("leak", "district_inlet", 90 * MINUTE_S, ("water.leak",), 480.0, _leak, _no_leak),
        FaultKind("bin_fire", "bin", 15 * MINUTE_S, ("waste.fire",), 300.0, _fire, _fire_out),
        FaultKind(
            "cabinet_out", "cabinet", 30 * MINUTE_S, ("lighting.cabinet_off",), 300.0, _cabinet_out, _cabinet_back
        ),
        FaultKind(
            "air_episode", "air_station", 25 * MINUTE_S, ("air.pm25", "air.pm10"), 660.0, _episode, _episode_over
        ),
        FaultKind(
            "gateway_silent", "gateway", 20 * MINUTE_S, ("waste.gateway_silent",), 480.0, _gateway_off, _gateway_on
        ),
    )
}


def schedule(world: World, seed: int, duration_s: float, *, then_hours: float = 0.0) -> list[Fault]:
    """Each kind once within duration_s, early enough to be found; then about one an hour, as in a real city."""
    rng = Random(f"faults-{seed}")
    gap = min(max(duration_s / 9, GAP_S[0]), GAP_S[1])
    faults: list[Fault] = []
    for i, kind in enumerate(KINDS.values()):
        start = round(gap * (0.6 + i) + rng.uniform(0, 0.2) * gap)
        faults.append(_plant(kind, world, float(start), rng=rng, before=faults))
    at = duration_s + 2400.0
    while at < then_hours * 3600.0:
        kind = rng.choice(list(KINDS.values()))
        faults.append(_plant(kind, world, float(round(at)), rng=rng, before=faults))
        at += rng.uniform(2400.0, 4800.0)
    return faults


def _plant(kind: FaultKind, world: World, start_s: float, *, rng: Random, before: list[Fault]) -> Fault:
    """A fault on an object that no running fault touches."""
    busy = {f.key for f in before if f.end_s + 3600.0 > start_s}
    behind = _behind(world, [f.key for f in before if f.kind == "gateway_silent" and f.end_s + 3600.0 > start_s])
    free = [p.key for p in world.devices[kind.cls] if p.key not in busy and p.key not in behind]
    if kind.name == "gateway_silent":
        burning = {f.key for f in before if f.kind == "bin_fire" and f.end_s > start_s}
        free = [key for key in free if not burning & _behind(world, [key])]
    return Fault(kind.name, rng.choice(free), start_s, start_s + kind.lasts_s, kind.rules, kind.max_delay_s)


def _behind(world: World, gateways: list[str]) -> set[str]:
    """Bins whose nearest gateway is one of these."""
    return {p.key for p in world.devices["bin"] if p.parent in gateways}


class FaultLine:
    """Plants and takes back what is due; t0 is the city time at which the time line starts."""

    def __init__(self, faults: list[Fault], t0: float) -> None:
        self.faults, self.t0 = sorted(faults, key=lambda f: f.start_s), t0
        self._waiting = list(self.faults)
        self._running: list[Fault] = []

    def apply(self, city: City, t: float) -> list[Fault]:
        """Faults that began with this call."""
        due = [f for f in self._waiting if self.t0 + f.start_s <= t]
        begun = [f for f in due if self.t0 + f.end_s > t]  # the others were over before this start
        for fault in begun:
            kind = KINDS[fault.kind]
            row = city.kinds[kind.cls].row[fault.key]
            kind.start(city, row, (t, self.t0 + fault.end_s))
        over = [f for f in self._running if self.t0 + f.end_s <= t]
        for fault in over:
            kind = KINDS[fault.kind]
            kind.end(city, city.kinds[kind.cls].row[fault.key])
        self._waiting = [f for f in self._waiting if f not in due]
        self._running = [f for f in [*self._running, *begun] if f not in over]
        return begun
