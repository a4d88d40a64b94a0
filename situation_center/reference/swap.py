"""The swap of a meter: another device on the same point; its series go on, the registers of both are written down."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from citynet.access import Actor, require
from citynet.catalog import catalog
from citynet.db import Connection, Database, Row
from citynet.errors import BadInput, Conflict
from situation_center import credentials, registry_write
from situation_center.reference import cells
from situation_center.reference.devices import NOTE_MAX, RIGHT, SOURCE, SQL, Thing, device_of, device_row, find, move
from situation_center.reference.history import registers_of
from situation_center.registry_lines import show
from situation_center.registry_plan import Change, DeviceChange, check_step, device_key
from situation_center.registry_versions import GONE, Moment, Version, begin, current, write

REGISTERS_MAX = 20


@dataclass(frozen=True)
class Register:
    """What the old meter showed last and the new one first, in the unit of the series."""

    series_id: int
    final: float
    initial: float = 0.0


@dataclass(frozen=True)
class Swap:
    """The exchange of a meter. profile None = that of the old one; at None = now."""

    external_id: str
    profile: str | None = None
    at: datetime | None = None
    registers: list[Register] = field(default_factory=list)
    note: str = ""


async def swap(db: Database, actor: Actor, ref: str, *, wanted: Swap) -> int:
    """Put another device on a point: its series go on, the registers of both are written down; the id of the record.

    Raises NotFound, BadInput (same_device, elsewhere, no_register), Conflict. Needs registry.write.
    """
    require(actor, RIGHT)
    point = await find(db, ref)
    detail = {"new": wanted.external_id, "registers": len(wanted.registers), "note": wanted.note[:NOTE_MAX]}
    async with db.transaction(actor.name, action="registry.swap", object_=point.key, detail=detail) as conn:
        moment = await begin(conn, actor.name, note=wanted.note[:NOTE_MAX])
        old = await device_of(conn, point)
        if old is None:
            raise Conflict(f"{point.key} has no device that could be swapped")
        change = await _newcomer(conn, old, wanted)
        at = min(wanted.at or moment.city, moment.city)
        await _end_old(conn, old, at, moment=moment)
        new_id = await _begin_new(conn, point, change, at=at, moment=moment)
        swap_id = await _note(conn, point, wanted, old=old["device_id"], new=new_id, at=at, actor=actor.name)
        await show(conn, [point.object_id, old["device_id"], new_id])
        await registry_write.announce(conn, "registry", "all")
    return swap_id


async def _newcomer(conn: Connection, old: Row, wanted: Swap) -> DeviceChange:
    """The new device. Raises BadInput when it cannot be put there."""
    before = (await current(conn, [old["device_id"]]))[old["device_id"]].version.attributes
    rows = await (await conn.execute(registry_write.SQL["profiles"])).fetchall()
    profiles = {row["name"]: row["body"] for row in rows}
    name = wanted.profile or before["profile"]
    if name not in profiles:
        raise BadInput("unknown_profile", name[:100])
    protocol = before["protocol"] if not wanted.profile else profiles[name]["protocol"]
    external_id = cells.external_id(wanted.external_id, radio=protocol in cells.RADIO)
    if device_key(external_id) == old["key"]:
        raise BadInput("same_device", external_id)
    found = await device_row(conn, external_id)
    if found:
        at = await (await conn.execute(SQL["point_of"], {"id": found["object_id"]})).fetchone()
        if at:
            raise BadInput("eui_elsewhere", f"{external_id} -> {at['key']}")
    return DeviceChange(external_id, protocol, name)


async def _end_old(conn: Connection, old: Row, at: datetime, *, moment: Moment) -> None:
    now = (await current(conn, [old["device_id"]]))[old["device_id"]]
    check_step(now.version, "swapped", old["key"])
    if not (await conn.execute(SQL["end_tie"], {"device": old["device_id"], "at": at})).rowcount:
        raise BadInput("date_before", "the old device came here later than that")
    wanted = {old["device_id"]: replace(now.version, life_cycle="swapped")}
    await write(conn, wanted, moment, starts={old["device_id"]: at})
    await credentials.end(conn, old["key"].removeprefix("device/"), by=moment.actor)


async def _begin_new(conn: Connection, point: Thing, device: DeviceChange, *, at: datetime, moment: Moment) -> int:
    """The new device exists, is active, and measures the point from at on."""
    life = "active"
    change = Change(
        key=point.key, cls=point.cls, given=Version(), names=frozenset(), device=device, life_cycle=life, since=at
    )
    known = await device_row(conn, device.external_id)
    if known:
        now = (await current(conn, [known["object_id"]]))[known["object_id"]].version
        if now.life_cycle in GONE:  # it was in store meanwhile
            await move(conn, Thing(known["object_id"], known["key"], "device"), "installed", moment=moment)
    ids = await registry_write.identities(conn, [change])
    new_id = ids[device_key(device.external_id)]
    await conn.execute(SQL["start_tie"], {"device": new_id, "id": point.object_id, "at": at})
    await registry_write.put(conn, [change], source=SOURCE, catalog=catalog(), moment=moment)
    return new_id


async def _note(conn: Connection, point: Thing, wanted: Swap, *, old: int, new: int, at: datetime, actor: str) -> int:
    given = {"id": point.object_id, "old": old, "new": new, "at": at, "actor": actor, "note": wanted.note[:NOTE_MAX]}
    row = await (await conn.execute(SQL["add_swap"], given)).fetchone()
    assert row is not None
    swap_id = int(row["swap_id"])
    known = {r["series_id"] for r in await registers_of(conn, point.object_id)}
    if len(wanted.registers) > REGISTERS_MAX:
        raise BadInput("too_many_registers", str(len(wanted.registers)))
    for register in wanted.registers:
        if register.series_id not in known:
            raise BadInput("no_register", f"series {register.series_id} is no register of {point.key}")
        values = {"swap": swap_id, "series": register.series_id, "final": register.final, "initial": register.initial}
        await conn.execute(SQL["add_register"], values)
    return swap_id
