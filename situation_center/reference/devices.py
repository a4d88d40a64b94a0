"""What people change in the registry one by one: fields of an object, the life cycle of a device.

Every change is a version and an audit row in one transaction. Called by the API and the screens.
"""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from citynet.access import Actor, require
from citynet.catalog import catalog
from citynet.db import Connection, Database, Row, named_sql
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import credentials, registry_write
from situation_center.reference import cells
from situation_center.registry_lines import show
from situation_center.registry_plan import Change, check_step, device_key
from situation_center.registry_versions import GONE, Moment, Version, begin, current, holder, write

SQL = named_sql(Path(__file__).with_name("devices.sql"))
SOURCE = "registry"
RIGHT = "registry.write"
INT4_MAX = 2_147_483_647
NOTE_MAX = 1_000
# Of a device: these lead to its credentials and its series.
FIXED = ("external_id", "profile")


@dataclass(frozen=True)
class Thing:
    """An object or a device by itself."""

    object_id: int
    key: str
    cls: str


@dataclass(frozen=True)
class Edit:
    """Fields to change; None = as it is. place: lon, lat. attributes: a value of None takes one away.

    seen: when the version was written down that the change starts from; None = whatever is there. note: why.
    """

    name_ru: str | None = None
    name_en: str | None = None
    address: str | None = None
    tags: list[str] | None = None
    parent: str | None = None
    place: tuple[float, float] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    seen: datetime | None = None
    note: str = ""


async def find(db: Database, ref: str) -> Thing:
    """An object or device by id, UUID or key, also one that is gone. Raises NotFound."""
    number = int(ref) if ref.isdecimal() and len(ref) < 11 and int(ref) <= INT4_MAX else None
    try:
        uid = uuid.UUID(ref)
    except ValueError:
        uid = None
    row = await db.row(SQL["thing"], {"id": number, "uid": uid, "key": ref.replace("\0", "")})
    if row is None:
        raise NotFound(f"no object {ref[:200]}")
    return Thing(row["object_id"], row["key"], row["class"])


async def edit(db: Database, actor: Actor, ref: str, *, wanted: Edit) -> bool:
    """Change fields of an object; whether anything is different now.

    Raises NotFound, BadInput (also foreign_field where another system has the last word), Conflict where somebody has
    changed the object since it was seen. Needs registry.write.
    """
    require(actor, RIGHT)
    thing = await find(db, ref)
    change = _change(thing, wanted)
    note = cells.text(wanted.note.strip(), NOTE_MAX)
    detail = {"fields": sorted([*change.names, *wanted.attributes]), "note": note}
    async with db.transaction(actor.name, action="registry.edit", object_=thing.key, detail=detail) as conn:
        moment = await begin(conn, actor.name, note=note)
        await _may_change(conn, thing, change, seen=wanted.seen)
        return await registry_write.put(conn, [change], source=SOURCE, catalog=catalog(), moment=moment) > 0


def _change(thing: Thing, wanted: Edit) -> Change:
    given: dict[str, Any] = {n: cells.text(v) for n in ("name_ru", "name_en") if (v := getattr(wanted, n))}
    if wanted.address is not None:
        given["address"] = cells.text(wanted.address)
    if wanted.tags is not None:
        given["tags"] = cells.tags(",".join(wanted.tags))
    if wanted.place is not None:
        lon, lat = wanted.place
        given |= {"lon": cells.coordinate(str(lon), 180), "lat": cells.coordinate(str(lat), 90)}
    names = set(given) | ({"parent_id"} if wanted.parent is not None else set())
    return Change(
        key=thing.key,
        cls=thing.cls,
        given=Version(**given, attributes=wanted.attributes),
        names=frozenset(names),
        parent=wanted.parent or None,
    )


async def _may_change(conn: Connection, thing: Thing, change: Change, *, seen: datetime | None) -> None:
    """Raise Conflict, or BadInput for what is not for people to change, in a transaction that holds the lock."""
    now = (await current(conn, [thing.object_id])).get(thing.object_id)
    if now is None:
        raise NotFound(f"no object {thing.key}")
    if seen is not None and seen != now.recorded_from:
        raise Conflict(f"{thing.key} was changed at {now.recorded_from.isoformat()}")
    circle = await conn.execute(SQL["above"], {"key": change.parent, "id": thing.object_id})
    if await circle.fetchone():
        raise BadInput("parent_circle", f"{change.parent} is part of {thing.key}")
    cls = (await registry_write.classes(conn)).get(thing.cls)
    given = {name: getattr(change.given, name) for name in change.names if name != "parent_id"}
    given |= {f"attributes.{name}": value for name, value in change.given.attributes.items()}
    for name, value in given.items():
        key = name.partition(".")[2]
        if value == (now.version.attributes.get(key) if key else getattr(now.version, name)):
            continue
        if thing.cls == "device" and key in FIXED:
            raise BadInput("fixed_attribute", f"{key}: changed by import, swap or adoption")
        if other := holder(now.version, name, source=SOURCE, cls=cls):
            raise BadInput("foreign_field", f"{key or name}: {other} has the last word")


async def set_life_cycle(db: Database, actor: Actor, ref: str, *, state: str, note: str = "") -> None:
    """One step of the life cycle of a device, or of an object without one. Raises NotFound, BadInput, Conflict.

    A device that is retired measures nothing any more, and its credentials end at once. Needs registry.write.
    """
    require(actor, RIGHT)
    await step(db, await find(db, ref), state, by=actor.name, note=note)


async def step(
    db: Database, thing: Thing, state: str, *, by: str, note: str = "", action: str = "registry.life_cycle"
) -> None:
    """set_life_cycle after the right was asked; action names it in the audit."""
    if state == "swapped":
        raise BadInput("bad_life_cycle", "a device becomes swapped when another takes its place")
    detail = {"state": state, "note": note[:NOTE_MAX]}
    async with db.transaction(by, action=action, object_=thing.key, detail=detail) as conn:
        moment = await begin(conn, by, note=detail["note"])
        device = await device_of(conn, thing)
        wanted = Thing(device["device_id"], device["key"], "device") if device else thing
        await move(conn, wanted, state, moment=moment)
        await registry_write.announce(conn, "registry", "all")


async def device_of(conn: Connection, thing: Thing) -> Row | None:
    """Id and key of the device that is on an object now."""
    if thing.cls == "device":
        return None
    return await (await conn.execute(SQL["device_of"], {"id": thing.object_id})).fetchone()


async def device_row(conn: Connection, external_id: str) -> Row | None:
    """Id, key and class of a device by its name on the wire."""
    given = {"id": None, "uid": None, "key": device_key(external_id)}
    return await (await conn.execute(SQL["thing"], given)).fetchone()


async def move(conn: Connection, thing: Thing, state: str, *, moment: Moment) -> None:
    """One step of this very device or object, in a transaction that holds the lock. Raises NotFound, BadInput."""
    now = (await current(conn, [thing.object_id])).get(thing.object_id)
    if now is None:
        raise NotFound(f"no object {thing.key}")
    check_step(now.version, state, thing.key)
    await write(conn, {thing.object_id: replace(now.version, life_cycle=state)}, moment)
    if state in GONE and thing.cls == "device":
        await registry_write.untie(conn, [thing.object_id], moment)
        await credentials.end(conn, thing.key.removeprefix("device/"), by=moment.actor)
    await show(conn, [thing.object_id])
