"""Classes of objects that administrators define beside the shipped ones: versions, checked on write. For the API."""

from typing import Any

from psycopg.types.json import Jsonb

from citynet.access import Actor, require
from citynet.classes import ObjectClass, validate
from citynet.db import Connection, Database
from citynet.errors import BadInput
from situation_center import registry_write
from situation_center.registry_versions import begin

# A link may become the address of a picture: what does not fit is said when its object is next changed.
NARROWS: dict[str, tuple[str, ...]] = {"link": ("image",)}


async def listed(db: Database, actor: Actor) -> list[ObjectClass]:
    """Every class in its newest version, by name. Needs registry.read."""
    require(actor, "registry.read")
    async with db.reader() as conn:
        found = await registry_write.classes(conn)
    return [found[name] for name in sorted(found)]


async def save(db: Database, actor: Actor, name: str, *, body: dict[str, Any]) -> int:
    """Write a class or a new version of one; its number. Objects are held to it from their next change on.

    The type of an attribute that objects have already cannot change. Raises BadInput. Needs registry.write.
    """
    require(actor, "registry.write")
    wanted = validate(name, body)
    async with db.transaction(actor.name, action="class.write", object_=name) as conn:
        await begin(conn, actor.name)
        before = (await registry_write.classes(conn)).get(name)
        if before == wanted:
            return await _version(conn, name)
        for attribute in wanted.attribute:
            old = before.find(attribute.name) if before else None
            if old and attribute.type not in (old.type, *NARROWS.get(old.type, ())):
                raise BadInput("bad_class", f"{attribute.name}: {old.type} cannot become {attribute.type}")
        version = await _version(conn, name) + 1
        stored = wanted.model_dump(mode="json", exclude={"name"})
        given = {"name": name, "version": version, "body": Jsonb(stored), "actor": actor.name}
        await conn.execute(registry_write.SQL["add_class"], given)
        await registry_write.announce(conn, "registry", "classes")
    return version


async def _version(conn: Connection, name: str) -> int:
    row = await (await conn.execute(registry_write.SQL["class_version"], {"name": name})).fetchone()
    return int(row["version"]) if row else 0
