"""Who is who on the wire: the registry compiled for decoding, kept fresh. Used by the uplink and downlink roads."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from citynet import catalog, registry
from citynet.bus import Incoming
from citynet.catalog import Profile
from citynet.part import Part
from citynet.registry import Device, Registry
from gateway.devices import Codec, codecs
from gateway.wire import protocols

REFRESH_S = 2.0
NO_SERIES = -1


@dataclass(frozen=True, slots=True)
class Route:
    """What decoding needs of one device. targets: payload key -> index into Targets, NO_SERIES = not allocated yet."""

    device: Device
    codec: Codec | None
    targets: dict[str, int]


@dataclass
class Targets:
    """Columns over all (series, scale, range) that were asked for so far."""

    series: list[int] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, series_id: int, scale: float, quantity: str) -> int:
        """Index of a new target."""
        words = catalog.catalog().quantities.get(quantity)
        low, high = (words.min, words.max) if words else (None, None)
        self.series.append(series_id)
        self.scale.append(scale)
        self.low.append(-np.inf if low is None else low)
        self.high.append(np.inf if high is None else high)
        return len(self.series) - 1

    def rows(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Series, scale, low and high as the rows of a float64 array, one column an index (ids are exact in it)."""
        used, place = np.unique(index, return_inverse=True)
        columns = (self.series, self.scale, self.low, self.high)
        return np.array([[column[i] for i in used.tolist()] for column in columns], np.float64)[:, place]


class Directory:
    """Snapshot of the registry with routes compiled on first use."""

    def __init__(self, part: Part, known: Registry) -> None:
        self._part, self._wake = part, asyncio.Event()
        protocols(), codecs(), catalog.catalog()  # read now, not while the first frame waits
        self._use(known)
        self._checked = time.monotonic()

    def _use(self, known: Registry) -> None:
        self.registry, self.targets = known, Targets()
        self._routes: dict[str, Route | None] = {}

    def route(self, external_id: str) -> Route | None:
        """The route of a device, None when nobody knows it."""
        try:
            return self._routes[external_id]
        except KeyError:
            device = self.registry.devices.get(external_id)
            if device is None:
                return None  # not remembered: names on the wire are without end
            return self._routes.setdefault(external_id, self._compile(device))

    def profile(self, name: str) -> Profile | None:
        """The newest version of a profile."""
        found = self.registry.profiles.get(name)
        return found[1] if found else None

    def _compile(self, device: Device) -> Route:
        profile = self.profile(device.profile)
        targets = {}
        for key, mapping in profile.map.items() if profile else ():
            place = (device.point_id or 0, mapping.quantity, mapping.channel)
            series_id = self.registry.by_point.get(place)
            targets[key] = (
                NO_SERIES if series_id is None else self.targets.add(series_id, mapping.scale, mapping.quantity)
            )
        return Route(device, codecs().get(device.profile), targets)

    async def refresh(self, *, since: float) -> None:
        """Take over changes of the registry unless that was done after the monotonic moment since."""
        if self._checked > since:
            return
        began = time.monotonic()
        fresh = await registry.refresh(self._part.db, self.registry)
        self._checked = began
        if fresh is not self.registry:
            self._use(fresh)
            self._part.counters["registry_changes"] += 1
        self._part.gauges["devices"] = len(self.registry.devices)

    async def follow(self) -> None:
        """Refresh every 2 s and when the situation centre announces a change, until the part stops."""

        async def wake(_: Incoming) -> None:
            self._wake.set()

        unsubscribe = await self._part.bus.subscribe("changes.>", wake)
        try:
            while not self._part.stopping.is_set():
                self._wake.clear()
                await self.refresh(since=time.monotonic())
                try:
                    await asyncio.wait_for(self._wake.wait(), REFRESH_S)
                except TimeoutError:
                    continue
        finally:
            await unsubscribe()


async def open_directory(part: Part) -> Directory:
    """A directory of the registry as it is now."""
    return Directory(part, await registry.load(part.db))
