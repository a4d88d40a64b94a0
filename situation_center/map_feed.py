"""What the live map shows, once per web process: states and heat values of all objects as columns, cut for each viewer.

Follows values, conditions and the registry by the hub and reads everything again every 30 s. Served by map_routes.py.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import structlog

from citynet import registry
from citynet.access import Actor, allowed
from citynet.catalog import catalog
from citynet.db import Database, Row, named_sql
from citynet.errors import Unavailable
from citynet.model import LiveChanged, LiveNewest
from situation_center import map_wire
from situation_center.live import Hub, Push, Subscription
from situation_center.map_wire import F32, U8, U32
from situation_center.screens.parts.failures import FAILURES
from situation_center.tracks import Fix, Trail, moment
from situation_center.views.base import state_of
from situation_center.views.tracks import SQL as TRACKS

log = structlog.get_logger()
SQL = named_sql(Path(__file__).with_name("map.sql"))
READ_S = 30.0
RETRY_S = 2.0
# A registration of thousands announces itself many times: so often at most everything is read for it.
REGISTRY_S = 1.0
# What happens within this time makes one frame.
GATHER_S = 0.2
# Older than this and the feed falls silent: a map must not look alive when nobody keeps it.
FRESH_S = 75.0
VIEWERS_MAX = 500
AXES = ("lon", "lat")


def heats() -> dict[str, str]:
    """Quantity of each heat map -> its service."""
    return {heat.quantity: service.name for service in catalog().services.values() for heat in service.heat}


def services() -> dict[str, int]:
    """Service -> its code on the wire: the place in the catalogue, as the map is mounted with."""
    return {name: code for code, name in enumerate(catalog().services)}


@dataclass(frozen=True, eq=False)
class Layout:
    """Objects as columns, unchanged until the registry changes. kinds: what rights ask of an object, kind: which.

    lon and lat are those of the registry, NaN where it has none. movers: their positions; axes: series of their places.
    """

    revision: tuple[Any, ...]
    ids: U32
    lon: F32
    lat: F32
    service: U8
    kind: U32
    kinds: list[dict[str, Any]]
    position: dict[int, int]
    series: dict[int, tuple[str, int]]
    movers: U32 = field(default_factory=lambda: np.empty(0, np.uint32))
    axes: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def seen_by(self, actor: Actor) -> U32:
        """Positions of the objects that the actor may know of."""
        seen = np.array([allowed(actor, "screen.open", kind) for kind in self.kinds], dtype=bool)
        return np.flatnonzero(seen[self.kind] if len(self.kinds) else []).astype(np.uint32)


def layout_of(
    revision: tuple[Any, ...], objects: list[Row], series: list[Row], *, movers: Sequence[Row] = ()
) -> Layout:
    """Columns of the rows of the queries objects, series and movers."""
    codes = services()
    kinds: dict[tuple[Any, ...], int] = {}
    kind = [kinds.setdefault((row["service"], *row["zone_ids"]), len(kinds)) for row in objects]
    position = {row["object_id"]: i for i, row in enumerate(objects)}
    moving = [m for m in movers if m["object_id"] in position]
    return Layout(
        revision=revision,
        ids=np.array([row["object_id"] for row in objects], dtype=np.uint32),
        lon=np.array([row["lon"] for row in objects], dtype=np.float32),
        lat=np.array([row["lat"] for row in objects], dtype=np.float32),
        service=np.array([codes.get(row["service"], map_wire.NO_SERVICE) for row in objects], dtype=np.uint8),
        kind=np.array(kind, dtype=np.uint32),
        kinds=[{"service": service, "zone_ids": zones} for service, *zones in kinds],
        position=position,
        series={
            row["series_id"]: (row["quantity"], position[row["object_id"]])
            for row in series
            if row["object_id"] in position
        },
        movers=np.array([position[m["object_id"]] for m in moving], dtype=np.uint32),
        axes={m[f"{axis}_series"]: (position[m["object_id"]], axis == "lat") for m in moving for axis in AXES},
    )


@dataclass(eq=False)
class Viewer:
    """One socket: who looks, what was asked, what was sent last. frame() says what is new."""

    feed: "MapFeed"
    actor: Actor
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    asked: bool = False
    heat: str | None = None
    layout: Layout | None = None
    rows: U32 = field(default_factory=lambda: np.empty(0, np.uint32))
    state: U8 = field(default_factory=lambda: np.empty(0, np.uint8))
    value: F32 = field(default_factory=lambda: np.empty(0, np.float32))
    # What moves: where in rows, where of all, and the number of the last move that was sent.
    index: U32 = field(default_factory=lambda: np.empty(0, np.uint32))
    moving: U32 = field(default_factory=lambda: np.empty(0, np.uint32))
    moves: int = 0

    def ask(self, heat: str | None) -> None:
        """The next frame is a snapshot with the values of this heat map's quantity."""
        self.asked, self.heat = True, heat
        self.changed.set()

    def become(self, actor: Actor) -> None:
        """Rights may have changed since the socket opened."""
        if actor != self.actor and self.layout is not None:
            self.asked = True
        self.actor = actor

    def frame(self) -> bytes | None:
        """The next frame; None before the first ask and while nobody knows how the city is."""
        now = self.feed.layout
        if now is None or not self.feed.fresh() or not (self.asked or self.layout):
            return None
        return self._snapshot(now) if self.asked or self.layout is not now else self._delta()

    def moved(self) -> bytes | None:
        """Places that are new since the last frame of any kind; None where nothing has moved."""
        if self.layout is None or self.layout is not self.feed.layout or self.moves == self.feed.moves:
            return None
        since, self.moves = self.moves, self.feed.moves
        new = self.feed.move[self.moving] > since
        places = self.moving[new]
        if not len(places):
            return None
        lon, lat = self.feed.lon[places], self.feed.lat[places]
        return map_wire.moved(self.feed.time_ms, index=self.index[new], lon=lon, lat=lat)

    def _snapshot(self, layout: Layout) -> bytes:
        self.layout, self.asked = layout, False
        seen = layout.seen_by(self.actor)
        # Where something is now is a reading; who may not read sees what the registry says.
        lon, lat = (self.feed.lon, self.feed.lat) if allowed(self.actor, "reading.read") else (layout.lon, layout.lat)
        self.rows = rows = seen[np.isfinite(lon[seen])]
        self.moving = np.intersect1d(rows, layout.movers) if lon is self.feed.lon else rows[:0]
        self.index, self.moves = np.searchsorted(rows, self.moving).astype(np.uint32), self.feed.moves
        self.state, self.value = self.feed.state[rows], self._values()
        return map_wire.snapshot(
            self.feed.time_ms,
            ids=layout.ids[rows],
            lon=lon[rows],
            lat=lat[rows],
            state=self.state,
            service=layout.service[rows],
            value=self.value,
        )

    def _delta(self) -> bytes:
        state, value = self.feed.state[self.rows], self._values()
        moved = (value != self.value) & ~(np.isnan(value) & np.isnan(self.value))
        index = np.flatnonzero(moved | (state != self.state)).astype(np.uint32)
        self.state, self.value = state, value
        return map_wire.delta(self.feed.time_ms, index=index, state=state[index], value=value[index])

    def _values(self) -> F32:
        about = {"service": heats().get(self.heat or "")}
        if self.heat in self.feed.values and allowed(self.actor, "reading.read", about):
            return self.feed.values[self.heat][self.rows]
        return np.full(len(self.rows), np.nan, np.float32)


class MapFeed:
    """The state of the map. run() keeps it; viewers join() and leave()."""

    def __init__(self, db: Database, hub: Hub) -> None:
        self.db, self.hub = db, hub
        self.layout: Layout | None = None
        self.state: U8 = np.empty(0, np.uint8)
        self.values: dict[str, F32] = {}
        self.time_ms = 0.0
        self.lon: F32 = np.empty(0, np.float32)
        self.lat: F32 = np.empty(0, np.float32)
        # The number of the move that brought each object where it is.
        self.move: U32 = np.empty(0, np.uint32)
        self.moves = 0
        self._trails: dict[int, Trail] = {}
        self._halves: dict[int, list[tuple[int, float] | None]] = {}
        self._changes: dict[int, int] = {}
        self._read_at = -math.inf
        self._viewers: set[Viewer] = set()

    def fresh(self) -> bool:
        """Whether the state was read from the database lately."""
        return time.monotonic() - self._read_at < FRESH_S

    def join(self, actor: Actor) -> Viewer:
        """A new socket. Raises Unavailable when there are too many."""
        if len(self._viewers) >= VIEWERS_MAX:
            raise Unavailable(f"{VIEWERS_MAX} maps are open: close some")
        viewer = Viewer(self, actor)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """The socket is closed."""
        self._viewers.discard(viewer)

    async def run(self) -> None:
        """Subscribe first, read second, then follow; for ever."""
        subscription = self.hub.subscribe("newest", "condition", "registry", "resync")
        try:
            while True:
                await self._round(subscription)
        finally:
            self.hub.unsubscribe(subscription)

    async def _round(self, subscription: Subscription) -> None:
        """Read everything, then follow until it is time to read again, a push was missed or the registry changed."""
        try:
            await self.read()
            began = time.monotonic()
            end = began + READ_S
            while (wait_s := end - time.monotonic()) > 0:
                pushes = await gather(subscription, wait_s)
                kinds = {push.kind for push in pushes}
                if "resync" in kinds:
                    return
                if "registry" in kinds:
                    end = min(end, began + REGISTRY_S)
                await self.take([push for push in pushes if push.kind != "registry"])
        except (*FAILURES, msgspec.MsgspecError, ValueError) as error:
            log.warning("map waits", error=str(error))
            await asyncio.sleep(RETRY_S)

    async def read(self) -> None:
        """Everything, from the database; viewers see the old state until all of the new one is there."""
        movers = await self.db.rows(TRACKS["movers"])
        layout = await self._read_layout(movers)
        newest = await self.db.rows(SQL["newest"], {"quantities": list(heats())})
        row = await self.db.row(SQL["newest_time"])
        states = await self.db.rows(SQL["states"])
        if layout is not self.layout:
            self.layout, self._changes = layout, {}
            self.values = {quantity: np.full(len(layout.ids), np.nan, np.float32) for quantity in heats()}
            self.lon, self.lat = layout.lon.copy(), layout.lat.copy()
            self.move = np.zeros(len(layout.ids), np.uint32)
            self._trails, self._halves = {}, {}
        for mover in movers:
            position = layout.position.get(mover["object_id"])
            if position is not None and mover["lat"] is not None:
                self._set_place(layout, position, Fix(moment(mover["time"]), mover["lon"], mover["lat"]))
        self.state = np.zeros(len(layout.ids), np.uint8)
        self._set_values((n["series_id"], n["value"], n["change"]) for n in newest)
        self._set_states(states)
        self.time_ms = max(self.time_ms, (row and row["time_ms"]) or 0.0)
        self._read_at = time.monotonic()
        self._tell()

    async def _read_layout(self, movers: list[Row]) -> Layout:
        row = await self.db.row(registry.SQL["revision"])
        revision = tuple(row.values()) if row else ()
        if self.layout is not None and self.layout.revision == revision:
            return self.layout
        objects = await self.db.rows(SQL["objects"], {"movers": [m["object_id"] for m in movers]})
        series = await self.db.rows(SQL["series"], {"quantities": list(heats())})
        return await asyncio.to_thread(layout_of, revision, objects, series, movers=movers)

    async def take(self, pushes: list[Push]) -> None:
        """What the hub said."""
        ids: list[int] = []
        for push in pushes:
            if push.kind == "newest":
                said = msgspec.msgpack.decode(push.data, type=LiveNewest)
                self._set_values(zip(said.series, said.value, said.change, strict=True))
                self._set_places(zip(said.series, said.time, said.value, strict=True))
                self.time_ms = max(self.time_ms, max(said.time, default=0) / 1000)
            else:
                ids += [int(i) for i in msgspec.json.decode(push.data, type=LiveChanged).ids]
        if ids:
            self._set_states(await self.db.rows(SQL["changed_states"], {"ids": ids}))
        if pushes:
            self._tell()

    def _set_values(self, newest: Iterable[tuple[int, float, int]]) -> None:
        """Take values over; an older version of a row than the known one is dropped."""
        if self.layout is None:
            return
        for series_id, value, change in newest:
            place = self.layout.series.get(series_id)
            if place and change > self._changes.get(series_id, -1):
                self._changes[series_id] = change
                self.values[place[0]][place[1]] = value

    def _set_places(self, newest: Iterable[tuple[int, int, float]]) -> None:
        """Take new places over; longitude and latitude of one time make one."""
        if self.layout is None or not self.layout.axes:
            return
        for series_id, time_us, value in newest:
            found = self.layout.axes.get(series_id)
            if found is None:
                continue
            position, is_lat = found
            halves = self._halves.setdefault(position, [None, None])
            halves[is_lat] = time_us, value
            lon, lat = halves
            if lon and lat and lon[0] == lat[0]:
                self._set_place(self.layout, position, Fix(lon[0], lon[1], lat[1]))

    def _set_place(self, layout: Layout, position: int, fix: Fix) -> None:
        if not self._trails.setdefault(position, Trail()).take(fix):
            return
        self.moves += 1
        first = np.isnan(self.lon[position])
        self.lon[position], self.lat[position], self.move[position] = fix.lon, fix.lat, self.moves
        if first and layout is self.layout:
            self.layout = replace(layout)  # something is on the map that was not: viewers need a new snapshot

    def _set_states(self, rows: list[Row]) -> None:
        """States of the objects that the rows name; an object with nulls alone is normal."""
        if self.layout is None:
            return
        active: dict[int, list[tuple[str, str]]] = {}
        for row in rows:
            conditions = active.setdefault(row["object_id"], [])
            if row["signal"] is not None:
                conditions.append((row["signal"], row["severity"]))
        for object_id, conditions in active.items():
            if object_id in self.layout.position:
                self.state[self.layout.position[object_id]] = map_wire.STATES[state_of(conditions)]

    def _tell(self) -> None:
        for viewer in self._viewers:
            viewer.changed.set()


async def gather(subscription: Subscription, wait_s: float) -> list[Push]:
    """The pushes until shortly after the first one; none when wait_s is over."""
    try:
        pushes = [await asyncio.wait_for(subscription.get(), wait_s)]
    except TimeoutError:
        return []
    await asyncio.sleep(GATHER_S)
    while not subscription.queue.empty():
        pushes.append(await subscription.get())
    return pushes


_running: list[MapFeed] = []


def feed() -> MapFeed:
    """The feed of this process. Raises Unavailable while the process starts."""
    if not _running:
        raise Unavailable("the web process is starting: try again")
    return _running[0]


@asynccontextmanager
async def running(db: Database, hub: Hub) -> AsyncIterator[MapFeed]:
    """The feed as long as the web process serves; called by app.py."""
    kept = MapFeed(db, hub)
    task = asyncio.create_task(kept.run())
    _running[:] = [kept]
    try:
        yield kept
    finally:
        _running.clear()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
