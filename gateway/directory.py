"""Who is who on the wire: the registry compiled for decoding, kept fresh. Used by the uplink and downlink roads."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from citynet import catalog, registry
from citynet.bus import Incoming
from citynet.catalog import Mapping, Profile
from citynet.errors import ConfigError
from citynet.part import Part
from citynet.registry import Device, Registry
from citynet.units import Line
from gateway import own_devices
from gateway.devices import Codec, codecs, languages
from gateway.wire import protocols

log = structlog.get_logger()
REFRESH_S = 2.0
NO_SERIES = -1


Codes = tuple[int, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Route:
    """What decoding needs of one device. targets: payload key -> index into Targets, NO_SERIES = not allocated yet.

    Keys whose values stand for something else are in codes instead: key -> (target, what each value means).
    """

    device: Device
    codec: Codec | None
    targets: dict[str, int]
    codes: dict[str, Codes]


class Targets:
    """Columns over all (series, conversion, range) that were asked for so far: value = (raw * mul + add) / div."""

    def __init__(self) -> None:
        self._table: NDArray[np.float64] = np.empty((6, 1_024))
        self._count = 0

    def new(self, series_id: int, mapping: Mapping) -> int:
        """Index of a new target. Raises ConfigError where the mapping cannot give the unit of its quantity."""
        words = catalog.catalog().quantities.get(mapping.quantity)
        low, high = (words.min, words.max) if words else (None, None)
        line = Line() if mapping.codes else mapping.line(words.unit if words else mapping.unit)
        if self._count == self._table.shape[1]:
            self._table = np.concatenate([self._table, np.empty_like(self._table)], axis=1)
        ends = (-np.inf if low is None else low, np.inf if high is None else high)
        self._table[:, self._count] = (series_id, *line.integers, *ends)
        self._count += 1
        return self._count - 1

    def rows(self, index: NDArray[np.intp]) -> NDArray[np.float64]:
        """Series, mul, add, div, low, high as rows of a float64 array, one column an index (ids are exact in it)."""
        return self._table[:, index]


class Directory:
    """Snapshot of the registry with routes compiled on first use."""

    def __init__(self, part: Part, known: Registry) -> None:
        self._part, self._wake = part, asyncio.Event()
        self._home = part.settings.home if part else None
        protocols(), codecs(), languages(), catalog.catalog()  # read now, not while the first frame waits
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
        targets: dict[str, int] = {}
        codes: dict[str, Codes] = {}
        for key, mapping in profile.map.items() if profile else ():
            target = self._target(device, mapping)
            if mapping.codes:
                codes[key] = (target, mapping.codes)
            else:
                targets[key] = target
        return Route(device, self._codec(device, profile), targets, codes)

    def _codec(self, device: Device, profile: Profile | None) -> Codec | None:
        language = languages().get(profile.language) if profile and profile.language else None
        if language is None:
            return codecs().get(device.profile)
        return language.codec(own_devices.with_secrets(device.attributes, self._home), profile)

    def _target(self, device: Device, mapping: Mapping) -> int:
        series_id = self.registry.by_point.get((device.point_id or 0, mapping.quantity, mapping.channel))
        if series_id is None:
            return NO_SERIES
        try:
            return self.targets.new(series_id, mapping)
        except ConfigError as error:  # a profile of the registry, not of the shipped catalogue
            log.error("mapping cannot be used", profile=device.profile, quantity=mapping.quantity, error=str(error))
            return NO_SERIES

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
    own_devices.load(part.settings)
    return Directory(part, await registry.load(part.db))
