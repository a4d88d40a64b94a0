"""Duplicates merged by hand: one object goes, its parts and device move on, its key still leads there. With undo."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from psycopg.types.json import Jsonb

from citynet.access import Actor, require
from citynet.catalog import catalog
from citynet.db import Connection, Database, Row, named_sql
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import registry_write, zones
from situation_center.reference.devices import NOTE_MAX, RIGHT, Thing, device_of, find
from situation_center.reference.history import visible
from situation_center.registry_lines import show
from situation_center.registry_plan import Change, DeviceChange
from situation_center.registry_versions import Moment, Version, begin, current, write
from situation_center.views.base import scope

LISTED = 200
# Two objects farther apart than this are two, unless they have one address.
NEAR_M = 60.0
LIKENESS_MIN = 0.5
# More than so many that look alike at one address or in one cell are not all compared with each other.
CROWD = 20
SQL = named_sql(Path(__file__).with_name("merges.sql"))


async def merge(db: Database, actor: Actor, gone: str, *, into: str, note: str = "") -> int:
    """Merge one object into another of its class; the id of the memory. The series of the one that goes stay readable.

    Raises NotFound, BadInput (other_class, same_object, two_devices). Needs registry.write.
    """
    require(actor, RIGHT)
    old, new = await find(db, gone), await find(db, into)
    if old.object_id == new.object_id:
        raise BadInput("same_object", old.key)
    if old.cls != new.cls or old.cls == "device":
        raise BadInput("other_class", f"{old.cls}, {new.cls}: a device is swapped, not merged")
    detail = {"into": new.key, "note": note[:NOTE_MAX]}
    async with db.transaction(actor.name, action="registry.merge", object_=old.key, detail=detail) as conn:
        moment = await begin(conn, actor.name, note=detail["note"])
        device = await device_of(conn, old)
        if device and await device_of(conn, new):
            raise BadInput("two_devices", f"{old.key} and {new.key} both have a device: retire one first")
        rows = await (await conn.execute(SQL["children"], {"id": old.object_id})).fetchall()
        children = [row["object_id"] for row in rows if row["object_id"] != new.object_id]
        await _move(conn, old, new, children=children, moment=moment)
        led = await (await conn.execute(SQL["lead_on"], {"id": old.object_id, "into": new.object_id})).fetchall()
        await conn.execute(SQL["point_to"], {"id": old.object_id, "into": new.object_id})
        await _retire(conn, old, retired=True, moment=moment)
        moved = {
            "children": children,
            "device": device["device_id"] if device else None,
            "keys": [row["object_id"] for row in led],
        }
        if device:
            await _carry(conn, device, new, moment=moment)
        given = {"id": old.object_id, "into": new.object_id, "actor": actor.name, "note": note[:NOTE_MAX]}
        row = await (await conn.execute(SQL["add"], given | {"moved": Jsonb(moved)})).fetchone()
        await show(conn, [old.object_id, new.object_id, *children])
        await registry_write.announce(conn, "registry", "all")
    assert row is not None
    return int(row["merge_id"])


async def undo(db: Database, actor: Actor, merge_id: int) -> None:
    """Take a merge back: the object lives again with what is still where the merge put it. Needs registry.write."""
    require(actor, RIGHT)
    async with db.transaction(actor.name, action="registry.unmerge", object_=str(merge_id)) as conn:
        moment = await begin(conn, actor.name)
        row = await (await conn.execute(SQL["one"], {"id": merge_id})).fetchone()
        if row is None:
            raise NotFound(f"no merge {merge_id} that could be undone")
        old, new = await _thing(conn, row["object_id"]), await _thing(conn, row["into_id"])
        await conn.execute(SQL["point_to"], {"id": old.object_id, "into": None})
        for key in row["moved"]["keys"]:
            await conn.execute(SQL["point_to"], {"id": key, "into": old.object_id})
        await _retire(conn, old, retired=False, moment=moment)
        now = await (await conn.execute(SQL["children"], {"id": new.object_id})).fetchall()
        still = {r["object_id"] for r in now} & set(row["moved"]["children"])
        await _move(conn, new, old, children=still, moment=moment)
        device = await device_of(conn, new)
        if device and device["device_id"] == row["moved"]["device"]:
            await _carry(conn, device, old, moment=moment)
        await conn.execute(SQL["undone"], {"id": merge_id, "actor": actor.name})
        await show(conn, [old.object_id, new.object_id, *still])
        await registry_write.announce(conn, "registry", "all")


async def listed(db: Database, actor: Actor, ref: str) -> list[Row]:
    """Merges that an object took part in, newest first. Needs registry.read."""
    thing = await visible(db, actor, ref)
    return await db.rows(SQL["listed"], {"id": thing.object_id})


async def candidates(db: Database, actor: Actor) -> list[Row]:
    """Pairs that look like one thing: same class, same digits in names that are alike, near or at one address.

    Columns gone_* and into_* (id, key, name_ru, name_en, device), class, address, metres. Needs registry.read.
    """
    require(actor, "registry.read")
    given = {
        **scope(actor),
        "areas": list(zones.CLASSES),
        "metres": NEAR_M,
        "least": LIKENESS_MIN,
        "limit": LISTED,
        "crowd": CROWD,
    }
    async with db.reader() as conn:
        return await (await conn.execute(SQL["candidates"], given, prepare=False)).fetchall()


async def newest(db: Database, actor: Actor) -> list[Row]:
    """The newest merges of the city. Needs registry.read."""
    require(actor, "registry.read")
    return await db.rows(SQL["newest"], {**scope(actor), "limit": LISTED})


async def _thing(conn: Connection, object_id: int) -> Thing:
    row = await (
        await conn.execute("SELECT object_id, key, class FROM object WHERE object_id = %s", [object_id])
    ).fetchone()
    if row is None:
        raise Conflict(f"object {object_id} is gone")
    return Thing(row["object_id"], row["key"], row["class"])


async def _move(conn: Connection, old: Thing, new: Thing, *, children: Iterable[int], moment: Moment) -> None:
    """Parts of one object become parts of another."""
    now = await current(conn, children)
    wanted = {
        i: replace(c.version, parent_id=new.object_id) for i, c in now.items() if c.version.parent_id == old.object_id
    }
    if wanted:
        await write(conn, wanted, moment)


async def _retire(conn: Connection, thing: Thing, *, retired: bool, moment: Moment) -> None:
    now = (await current(conn, [thing.object_id])).get(thing.object_id)
    if now is None:
        raise NotFound(f"no object {thing.key}")
    await write(conn, {thing.object_id: replace(now.version, retired=retired)}, moment)


async def _carry(conn: Connection, device: Row, to: Thing, *, moment: Moment) -> None:
    """A device measures another object from now on, which has the series for it."""
    external_id = device["key"].removeprefix("device/")
    attributes = (await current(conn, [device["device_id"]]))[device["device_id"]].version.attributes
    change = Change(
        key=to.key,
        cls=to.cls,
        given=Version(),
        names=frozenset(),
        device=DeviceChange(external_id, profile=attributes.get("profile")),
    )
    await registry_write.put(conn, [change], source="registry", catalog=catalog(), moment=moment)
