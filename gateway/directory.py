"""Who is who on the wire: devices met so far, compiled for decoding, kept fresh. Used by the roads up and down.

Nothing is read before a device speaks: a start costs the same in a city of any size (decision 0036)."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from citynet import catalog
from citynet.bus import Incoming
from citynet.catalog import Profile
from citynet.db import Row, named_sql
from citynet.part import Part
from citynet.registry import Device
from gateway import own_devices
from gateway.codecs import Codec as Script
from gateway.codecs.pool import Pool, limits_of
from gateway.devices import Codec, codec_of, codecs, languages
from gateway.targets import Codes, Layout, Place, Targets
from gateway.wire import ReadPlain, protocols

SQL = named_sql(Path(__file__).with_name("queries.sql"))
REFRESH_S = 2.0
WAITING_S = 10.0
ASKED_AT_ONCE = 1_000
NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Route:
    """What decoding needs of one device: base + an offset of its layout is an index into Targets."""

    device: Device
    codec: Codec | None
    base: int
    layout: Layout
    script: Script | None = None  # the codec in JavaScript that the profile was given, used instead of codec

    @property
    def targets(self) -> dict[str, int]:
        """Payload key -> offset, NO_SERIES = not allocated yet."""
        return self.layout.offsets

    @property
    def codes(self) -> dict[str, Codes]:
        """Keys whose values stand for something else: offset, what each value means."""
        return self.layout.codes


@dataclass
class Cursor:
    """Up to where the registry is known: see changed in queries.sql."""

    profiles: int = -1
    series: int = 0
    horizon: str = "0"
    recorded: datetime | None = None


@dataclass
class Known:
    """All that was met; a change of a profile begins a new one."""

    profiles: dict[str, tuple[int, Profile]]
    scripts: dict[str, Script] = field(default_factory=dict)
    targets: Targets = field(default_factory=Targets)
    routes: dict[str, Route] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # of devices, by id
    layouts: dict[tuple[str, frozenset[Place]], Layout] = field(default_factory=dict)
    # Subjects whose frames need no look at anything but their payload: the route of their device, what reads them.
    plain: dict[str, tuple[Route, ReadPlain]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)  # devices with a key that has no series yet

    def forget(self, names: Iterable[str]) -> None:
        """Meet these devices again when they speak next."""
        gone = {name for name in names if self.routes.pop(name, None)}
        self.waiting -= gone
        if gone:
            self.plain = {s: plain for s, plain in self.plain.items() if plain[0].device.external_id not in gone}


class Directory:
    """Devices by identifier. meet() first, then route() without waiting."""

    def __init__(
        self,
        part: Part,
        profiles: dict[str, tuple[int, Profile]],
        cursor: Cursor | None = None,
        *,
        scripts: dict[str, Script] | None = None,
        pool: Pool | None = None,
    ) -> None:
        self._part, self._wake = part, asyncio.Event()
        self.pool = pool or Pool()
        # Ids of a network server's queue -> our commands; those of before the start are in the receipts.
        self.queue_items: dict[UUID, UUID] = {}
        self._home = part.settings.home if part else None
        protocols(), codecs(), languages(), catalog.catalog()  # read now, not while the first frame waits
        self.known, self._cursor = Known(profiles, scripts or {}), cursor or Cursor()
        self._checked = self._freed = time.monotonic()

    @property
    def targets(self) -> Targets:
        """Where values go. Only for drafts that were decoded since the last await."""
        return self.known.targets

    @property
    def plain(self) -> dict[str, tuple[Route, ReadPlain]]:
        """Subjects that Decoder reads the short way."""
        return self.known.plain

    def route(self, external_id: str) -> Route | None:
        """The route of a device that was met, None when nobody knows it."""
        return self.known.routes.get(external_id)

    def script(self, profile: str) -> Script | None:
        """The codec in JavaScript of a profile."""
        return self.known.scripts.get(profile)

    def profile(self, name: str) -> Profile | None:
        """The newest version of a profile."""
        found = self.known.profiles.get(name)
        return found[1] if found else None

    def profile_version(self, name: str) -> int:
        """Its number, 0 for an unknown one."""
        found = self.known.profiles.get(name)
        return found[0] if found else 0

    async def by_id(self, device_id: int) -> Device | None:
        """The device of an id, None when there is none."""
        if self.known.names.get(device_id) not in self.known.routes:
            await self._learn("routes_by_id", [device_id])
        found = self.known.routes.get(self.known.names.get(device_id, ""))
        return found.device if found else None

    async def meet(self, identifiers: Iterable[str]) -> None:
        """Read what is not known of these devices; who is not in the registry stays unknown.

        Until the next await all of them are known, whatever is forgotten meanwhile.
        """
        names, unknown = list(dict.fromkeys(identifiers)), set[str]()
        while strangers := [name for name in names if name not in self.known.routes and name not in unknown]:
            asked = strangers[:ASKED_AT_ONCE]
            rows = await self._learn("routes", asked)
            unknown |= set(asked) - {row["external_id"] for row in rows}

    async def _learn(self, query: str, asked: list[Any]) -> list[Row]:
        """Read devices and take them in; with profiles as new as they are, without which no value has a place."""
        rows = await self._part.db.rows(SQL[query], [asked])
        if any(row["profile"] not in self.known.profiles for row in rows):
            await self.refresh(since=time.monotonic())
        self._take(rows)
        return rows

    def _take(self, rows: list[Row]) -> None:
        for row in rows:
            device = Device(
                row["device_id"],
                row["external_id"],
                row["protocol"],
                row["profile"],
                row["point_id"],
                row["attributes"] or NOTHING,
            )
            self.add(
                device, {(q, c): s for q, c, s in zip(row["quantities"], row["channels"], row["series"], strict=True)}
            )

    def add(self, device: Device, series: dict[Place, int]) -> None:
        """Compile the route of a device; series of its point by quantity and channel."""
        known = self.known
        key = (device.profile, frozenset(series))
        layout = known.layouts.get(key)
        if layout is None:
            layout = known.layouts[key] = known.targets.layout(self.profile(device.profile), key[1])
        base, script = known.targets.add(layout, series), self.script(device.profile)
        route = Route(device, self._codec(device), base, layout, script)
        known.routes[device.external_id] = route
        known.names[device.device_id] = device.external_id
        if len(layout.places) < len(layout.offsets) + len(layout.codes):
            known.waiting.add(device.external_id)

    def _codec(self, device: Device) -> Codec | None:
        attributes = own_devices.with_secrets(device.attributes, self._home)
        return codec_of(self.profile(device.profile), device.profile, attributes)

    async def refresh(self, *, since: float) -> None:
        """Take over changes of the registry unless that was done after the monotonic moment since."""
        if self._checked > since:
            return
        began = time.monotonic()
        now = await read_cursor(self._part)
        if now.profiles != self._cursor.profiles:
            self.known = Known(*await read_profiles(self._part))
            self._part.counters["registry_changes"] += 1
        else:
            await self._forget_changed(now)
        self._cursor, self._checked = now, began
        self._part.gauges["devices"] = len(self.known.routes)

    async def _forget_changed(self, now: Cursor) -> None:
        before = self._cursor
        asked = {"recorded": before.recorded, "horizon": before.horizon}
        ids = [row["id"] for row in await self._part.db.rows(SQL["changed"], asked)]
        names = {name for number in ids if (name := self.known.names.get(number))}
        if now.series != before.series or time.monotonic() - self._freed > WAITING_S:
            names |= self.known.waiting
            self._freed = time.monotonic()
        if names:
            self.known.forget(names)
            self._part.counters["registry_changes"] += 1

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


async def read_cursor(part: Part) -> Cursor:
    """How far the registry is now."""
    row = await part.db.row(SQL["cursor"])
    assert row is not None
    return Cursor(**row)


async def read_profiles(part: Part) -> tuple[dict[str, tuple[int, Profile]], dict[str, Script]]:
    """The newest version of each profile, and of its script."""
    rows = await part.db.rows(SQL["profiles"])
    profiles = {row["name"]: (row["version"], Profile.model_validate(row["body"])) for row in rows}
    scripts = await part.db.rows(SQL["scripts"])
    return profiles, {row["profile"]: Script(row["source"], row["version"]) for row in scripts}


async def open_directory(part: Part) -> Directory:
    """A directory of the registry as it is now. Its pool is to be closed."""
    settings = part.settings
    own_devices.load(settings)
    pool = Pool(limits_of(settings), workers=settings.codec_workers, counters=part.counters)
    cursor = await read_cursor(part)
    profiles, scripts = await read_profiles(part)
    return Directory(part, profiles, cursor, scripts=scripts, pool=pool)
