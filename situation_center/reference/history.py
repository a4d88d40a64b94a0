"""What was true of an object at any moment, as known at any other, and all that ever changed. For API and screens."""

from collections.abc import Mapping
from datetime import datetime

from citynet.access import Actor, allowed, require
from citynet.catalog import catalog
from citynet.db import Connection, Database, Row
from citynet.errors import NotFound
from situation_center.reference.devices import SQL, Thing, find
from situation_center.registry_versions import begin, current


async def visible(db: Database, actor: Actor, ref: str) -> Thing:
    """find() within what the actor may know of. Raises NotFound. Needs registry.read."""
    require(actor, "registry.read")
    thing = await find(db, ref)
    async with db.reader() as conn:
        now = (await current(conn, [thing.object_id])).get(thing.object_id)
    if now is None or not allowed(actor, "registry.read", vars(now.version)):
        raise NotFound(f"no object {ref[:200]}")
    return thing


async def as_of(
    db: Database, actor: Actor, ref: str, *, moment: datetime | None = None, known_at: datetime | None = None
) -> Row:
    """What was true of an object at a moment (city time), as known at another (wall time). Raises NotFound."""
    thing = await visible(db, actor, ref)
    async with db.reader() as conn:
        now = await begin(conn, actor.name, lock=False)
        given = {"id": thing.object_id, "as_of": moment or now.city, "known_at": known_at or now.recorded}
        row = await (await conn.execute(SQL["as_of"], given)).fetchone()
    if row is None:
        raise NotFound(f"nothing was known of {thing.key} then")
    return row


async def history(db: Database, actor: Actor, ref: str) -> Mapping[str, list[Row]]:
    """Versions, devices and swaps of an object, newest first. Raises NotFound. Needs registry.read."""
    thing = await visible(db, actor, ref)
    given = {"id": thing.object_id}
    names = {"versions": "history", "devices": "devices_of", "swaps": "swaps"}
    return {name: await db.rows(SQL[query], given) for name, query in names.items()}


async def registers_of(conn: Connection, object_id: int) -> list[Row]:
    """Cumulative series of a point with their last values."""
    cumulative = [name for name, q in catalog().quantities.items() if q.kind == "cumulative"]
    given = {"id": object_id, "quantities": cumulative}
    return await (await conn.execute(SQL["registers"], given)).fetchall()


async def registers(db: Database, actor: Actor, ref: str) -> list[Row]:
    """The registers of a point with their last values, for whoever swaps its meter. Needs registry.read."""
    thing = await visible(db, actor, ref)
    async with db.reader() as conn:
        return await registers_of(conn, thing.object_id)
