"""Acceptance of a device where it hangs: has it been heard, how well, where is it; then it is active. For a phone."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from citynet.access import Actor, allowed, require
from citynet.catalog import catalog
from citynet.db import Database, named_sql
from citynet.errors import Conflict, NotFound
from situation_center import registry_write
from situation_center.reference import cells
from situation_center.registry_plan import Change, DeviceChange
from situation_center.registry_versions import Version, begin

SQL = named_sql(Path(__file__).with_name("install.sql"))
RIGHT = "device.install"


@dataclass(frozen=True)
class Install:
    """A device as its installer sees it. first, last: arrival of values (city time); rssi in dBm, snr in dB."""

    external_id: str
    profile: str
    life_cycle: str
    key: str
    cls: str
    name_ru: str
    name_en: str
    address: str
    lon: float | None
    lat: float | None
    first: datetime | None
    last: datetime | None
    rssi: float | None
    snr: float | None


async def state(db: Database, actor: Actor, external_id: str) -> Install:
    """How far the installation is. Raises NotFound. Needs device.install."""
    require(actor, RIGHT)
    row = await db.row(SQL["device"], {"external_id": external_id.replace("\0", "")})
    if row is None or not allowed(actor, RIGHT, row):
        raise NotFound(f"no device {external_id[:100]} is on an object")
    tied = await db.row(SQL["tied_since"], {"id": row["device_id"]})
    heard = await db.row(SQL["heard"], {"id": row["object_id"], "since": tied and tied["valid_from"]})
    known = heard or {"first": None, "last": None, "rssi": None, "snr": None}
    return Install(
        external_id,
        row["profile"],
        row["life_cycle"],
        row["key"],
        row["class"],
        row["name_ru"],
        row["name_en"],
        row["address"],
        row["lon"],
        row["lat"],
        known["first"],
        known["last"],
        known["rssi"],
        known["snr"],
    )


async def accept(
    db: Database, actor: Actor, external_id: str, *, place: tuple[float, float] | None = None, note: str = ""
) -> None:
    """Make the device active at its place (lon, lat; None = as the registry has it), audited.

    Raises Conflict while nothing was received, BadInput for coordinates that cannot be. Needs device.install.
    """
    now = await state(db, actor, external_id)
    if now.first is None:
        raise Conflict("nothing has been received from the device yet")
    where = (cells.coordinate(str(place[0]), 180), cells.coordinate(str(place[1]), 90)) if place else None
    given = Version(lon=where[0], lat=where[1]) if where else Version()
    change = Change(
        key=now.key,
        cls=now.cls,
        given=given,
        names=frozenset({"lon", "lat"} if where else ()),
        device=DeviceChange(external_id),
        life_cycle="active",
    )
    detail = {"first": now.first.isoformat(), "rssi": now.rssi, "snr": now.snr, "place": where, "note": note[:500]}
    async with db.transaction(actor.name, action="device.accept", object_=external_id, detail=detail) as conn:
        moment = await begin(conn, actor.name, note=note[:500])
        await registry_write.put(conn, [change], source="registry", catalog=catalog(), moment=moment)
