"""Device profiles as versions: what is written is checked by the model of the catalogue before it counts anywhere.

A new version reaches the gateway by CHANGES within two seconds. Called by the API and the screen.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from citynet.access import Actor, require
from citynet.catalog import Profile, catalog
from citynet.db import Row, named_sql
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import registry_write
from situation_center.registry_versions import begin
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_name("profiles.sql"))
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
BODY_MAX = 200_000
ERRORS_SHOWN = 10


@dataclass(frozen=True)
class Listed:
    """A profile in its newest version, and how many devices speak it."""

    name: str
    version: int
    cls: str
    protocol: str
    devices: int
    recorded: datetime
    actor: str


async def listed(db: Center, actor: Actor) -> list[Listed]:
    """All profiles. Needs registry.read."""
    require(actor, "registry.read")
    return [
        Listed(
            row["name"],
            row["version"],
            row["body"]["class"],
            row["body"].get("protocol", "native"),
            row["devices"],
            row["recorded"],
            row["actor"],
        )
        for row in await db.rows(SQL["listed"])
    ]


async def versions(db: Center, actor: Actor, name: str) -> list[Row]:
    """All versions of one, newest first. Raises NotFound. Needs registry.read."""
    require(actor, "registry.read")
    rows = await db.rows(SQL["versions"], [name.replace("\0", "")])
    if not rows:
        raise NotFound(f"no profile {name[:100]}")
    return rows


def shown(body: dict[str, Any], name: str) -> str:
    """The text that a person edits: without what is as by default."""
    profile = Profile.model_validate({**body, "name": name})
    plain = profile.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"name"})
    return json.dumps(plain, ensure_ascii=False, indent=2)


def parsed(text: str) -> dict[str, Any]:
    """JSON of a profile. Raises BadInput (not_json) that names the line."""
    if len(text) > BODY_MAX:
        raise BadInput("too_large", f"at most {BODY_MAX} characters")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput("not_json", f"{where}{getattr(error, 'msg', error)}") from error
    if not isinstance(body, dict):
        raise BadInput("not_json", "an object in braces is wanted")
    return body


def checked(name: str, body: dict[str, Any]) -> Profile:
    """A profile that the whole city can use. Raises BadInput (bad_profile) that names every wrong place."""
    if not NAME.fullmatch(name):
        raise BadInput("bad_profile", "name: small Latin letters, digits, . _ -")
    try:
        profile = Profile.model_validate({**body, "name": name})
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or 'profile'}: {e['msg']}" for e in error.errors()[:ERRORS_SHOWN]]
        raise BadInput("bad_profile", "; ".join(told)) from error
    known = catalog().quantities
    used = [m.quantity for m in profile.map.values()]
    used += [c.expect.quantity for c in profile.command if c.expect]
    unknown = sorted({q for q in used if q not in known})
    if unknown:
        raise BadInput("unknown_quantity", f"{', '.join(unknown)}: see schemas/quantities.toml")
    names = [c.name for c in profile.command]
    if len(set(names)) < len(names):
        raise BadInput("bad_profile", "command: a name is given twice")
    return profile


async def save(
    db: Center, actor: Actor, name: str, *, body: dict[str, Any], base: int | None = None, note: str = ""
) -> int:
    """Write a new version; its number. base: the version that was edited, 0 for a new profile, None = any.

    The same body again writes nothing. Raises BadInput, Conflict when somebody was faster. Needs registry.write.
    """
    require(actor, "registry.write")
    profile = checked(name, body)
    stored = profile.model_dump(mode="json", by_alias=True)
    async with db.transaction(actor.name, action="profile.write", object_=name, detail={"note": note[:200]}) as conn:
        await begin(conn, actor.name)
        rows = await (await conn.execute(SQL["versions"], [name])).fetchall()
        newest = rows[0]["version"] if rows else 0
        if base is not None and base != newest:
            raise Conflict(f"{name} has version {newest} by now")
        if rows and rows[0]["body"] == stored:
            return int(newest)
        given = {"name": name, "version": newest + 1, "body": Jsonb(stored), "actor": actor.name, "note": note[:200]}
        await conn.execute(registry_write.SQL["add_profile"], given)
        await registry_write.add_mapped(conn, name, stored, catalog=catalog())
        await registry_write.announce(conn, "profile", name)
    await db.announce("registry", name)
    return int(newest + 1)
