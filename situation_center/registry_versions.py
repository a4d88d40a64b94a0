"""The bitemporal core of the registry: what is true of an object, from when, recorded when. All versions pass here."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from citynet.classes import ObjectClass
from citynet.db import Connection, named_sql

SQL = named_sql(Path(__file__).with_name("registry_versions.sql"))
# When something began that nobody has dated: earlier than any reading.
SINCE = datetime(2000, 1, 1, tzinfo=UTC)
LIFE_CYCLES = ("planned", "installed", "active", "out_of_service", "retired", "swapped")
# What may follow what; a thing that is retired or swapped comes back only as installed again.
TRANSITIONS: dict[str, frozenset[str]] = {
    "planned": frozenset({"installed", "active", "retired"}),
    "installed": frozenset({"planned", "active", "out_of_service", "retired"}),
    "active": frozenset({"out_of_service", "retired", "swapped"}),
    "out_of_service": frozenset({"installed", "active", "retired", "swapped"}),
    "retired": frozenset({"installed"}),
    "swapped": frozenset({"installed", "retired"}),
}
GONE = frozenset({"retired", "swapped"})


@dataclass(frozen=True)
class Version:
    """What is true of an object, without its times."""

    name_ru: str = ""
    name_en: str = ""
    service: str | None = None
    org_id: int | None = None
    parent_id: int | None = None
    lon: float | None = None
    lat: float | None = None
    geometry: bytes | None = None
    zone_ids: list[int] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    life_cycle: str = "active"
    tags: list[str] = field(default_factory=list)
    address: str = ""
    origin: dict[str, str] = field(default_factory=dict)
    retired: bool = False

    def but(self, **changes: Any) -> "Version":
        """dataclasses.replace() in a quarter of its time: a file of 200,000 rows makes a million copies."""
        made = object.__new__(Version)
        made.__dict__.update(self.__dict__)
        made.__dict__.update(changes)
        return made


FIELDS = tuple(f.name for f in fields(Version))


@dataclass(frozen=True)
class Moment:
    """When a change is true (city) and when it is written down (wall), who makes it and why."""

    city: datetime
    recorded: datetime
    actor: str
    note: str = ""


async def begin(conn: Connection, actor: str, *, lock: bool = True, note: str = "") -> Moment:
    """The moment of this transaction's changes; with lock, no other writer of the registry is at work until it ends."""
    if lock:
        await conn.execute(SQL["lock"])
    row = await (await conn.execute(SQL["moment"])).fetchone()
    assert row is not None
    return Moment(row["city"], row["recorded"], actor, note)


def from_row(row: Mapping[str, Any]) -> Version:
    """A version from a row with its columns."""
    return Version(**{name: row[name] for name in FIELDS})


@dataclass(frozen=True)
class Current:
    """The version that is true now, since when, and when that was written down."""

    version: Version
    valid_from: datetime
    recorded_from: datetime


async def current(conn: Connection, ids: Iterable[int]) -> dict[int, Current]:
    """Newest versions by id, also of what is retired."""
    rows = await (await conn.execute(SQL["current"], {"ids": list(ids)})).fetchall()
    return {row["object_id"]: Current(from_row(row), row["valid_from"], row["recorded_from"]) for row in rows}


def differs(wanted: Mapping[int, Version], known: Mapping[int, Current]) -> set[int]:
    """Ids whose version would change."""
    return {i for i, version in wanted.items() if i not in known or known[i].version != version}


async def write(
    conn: Connection, wanted: dict[int, Version], moment: Moment, *, starts: Mapping[int, datetime] | None = None
) -> set[int]:
    """Close and write again what differs from the current versions; the ids that changed.

    starts: when a change is true, by id, else the city's now. Nothing begins before what it replaces, even after the
    city clock was set back; a start equal to it corrects it from its beginning.
    """
    known = await current(conn, wanted)
    changed = differs(wanted, known)
    if changed:
        await _replace(conn, {i: wanted[i] for i in sorted(changed)}, known, moment=moment, starts=starts or {})
    return changed


async def _replace(
    conn: Connection,
    wanted: dict[int, Version],
    known: Mapping[int, Current],
    *,
    moment: Moment,
    starts: Mapping[int, datetime],
) -> None:
    begin_at = {i: starts.get(i, moment.city if i in known else SINCE) for i in wanted}
    begin_at |= {i: max(begin_at[i], known[i].valid_from) for i in wanted if i in known}
    older = [i for i in wanted if i in known]
    if older:
        past = {"ids": older, "starts": [begin_at[i] for i in older], "recorded": moment.recorded}
        await conn.execute(SQL["close"], past)
        await conn.execute(SQL["keep_past"], past)
    async with conn.cursor() as cursor, cursor.copy(SQL["add_versions"]) as copy:
        for i, version in wanted.items():
            await copy.write_row(_columns(i, version, begin_at[i], moment=moment))


def _columns(object_id: int, v: Version, start: datetime, *, moment: Moment) -> tuple[Any, ...]:
    zones = "{" + ",".join(map(str, v.zone_ids)) + "}"
    place = (v.service, v.org_id, v.parent_id, v.lon, v.lat, v.geometry, zones, _json(v.attributes))
    # psycopg takes its time over arrays and JSON; text is what COPY sends anyway.
    rest = (v.life_cycle, v.tags or "{}", v.address, _json(v.origin), v.retired, moment.actor, moment.note)
    return (object_id, start, moment.recorded, v.name_ru, v.name_en, *place, *rest)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else "{}"


EMPTY: tuple[Any, ...] = (None, "", [])
# Fields that travel together: half a place is none.
TOGETHER = {"lon": "place", "lat": "place", "geometry": "place"}


def take(
    known: Version | None, given: Version, names: Iterable[str], *, source: str, cls: ObjectClass | None
) -> Version:
    """What stays of known and what given brings for these fields ("attributes.x" for an attribute).

    Where the class names an order of systems, a field goes to the system that stands first in it: a later one only
    fills what is empty or its own.
    """
    before = known or Version()
    if cls is None or not cls.ordered:
        return _all(before, given, names)
    picked: dict[str, Any] = {}
    attributes, origin = dict(before.attributes), dict(before.origin)
    for name in names:
        head, _, key = name.partition(".")
        title = key or TOGETHER.get(head, head)
        old = before.attributes.get(key) if key else getattr(before, head)
        new = given.attributes.get(key) if key else getattr(given, head)
        order = cls.order_of(title)
        empty = old in EMPTY
        if order and ((empty and new in EMPTY) or not _may(order, source, before.origin.get(title), empty=empty)):
            continue
        if order:
            origin[title] = source
        if not key:
            picked[head] = new
        elif new is None:
            attributes.pop(key, None)
        else:
            attributes[key] = new
    return before.but(**picked, attributes=attributes, origin=origin, retired=False)


def _all(before: Version, given: Version, names: Iterable[str]) -> Version:
    """take() where no system goes before another."""
    picked: dict[str, Any] = {}
    attributes = dict(before.attributes)
    for name in names:
        head, _, key = name.partition(".")
        if not key:
            picked[head] = getattr(given, head)
        elif (new := given.attributes.get(key)) is None:
            attributes.pop(key, None)
        else:
            attributes[key] = new
    return before.but(**picked, attributes=attributes, retired=False)


def holder(now: Version, name: str, *, source: str, cls: ObjectClass | None) -> str:
    """The system whose word on a field ("attributes.x" for an attribute) stands against source; empty = none."""
    head, _, key = name.partition(".")
    title = key or TOGETHER.get(head, head)
    old = now.attributes.get(key) if key else getattr(now, head)
    order, wrote = cls.order_of(title) if cls else (), now.origin.get(title)
    return "" if not order or _may(order, source, wrote, empty=old in EMPTY) else wrote or ""


def _may(order: tuple[str, ...], source: str, wrote: str | None, *, empty: bool) -> bool:
    if empty or wrote is None:
        return True
    rank = {name: n for n, name in enumerate(order)}
    return rank.get(source, len(order)) <= rank.get(wrote, len(order))
