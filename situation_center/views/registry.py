"""The registry as a list: search, filters, pages by key."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from citynet.access import Actor, require
from citynet.db import Database, named_sql
from citynet.errors import BadInput
from situation_center.registry_versions import begin
from situation_center.views.base import scope
from situation_center.views.rows import RegistryPage, RegistryRow

SQL = named_sql(Path(__file__).with_name("registry.sql"))
PAGE = 50
PAGE_MAX = 500


@dataclass(frozen=True)
class Filter:
    """What to list. None or empty = all."""

    text: str = ""
    cls: str | None = None
    service: str | None = None
    life_cycle: str | None = None
    profile: str | None = None


def like(text: str) -> str:
    """A pattern for LIKE that means the text itself anywhere."""
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"


def _given(actor: Actor, wanted: Filter) -> dict[str, Any]:
    text = wanted.text.replace("\0", "").strip().lower()[:200]
    return {
        **scope(actor),
        "text": text,
        "like": like(text),
        "class": wanted.cls or None,
        "service": wanted.service or None,
        "life_cycle": wanted.life_cycle or None,
        "profile": wanted.profile or None,
    }


async def registry_page(
    db: Database, actor: Actor, wanted: Filter, *, after: str = "", limit: int = PAGE
) -> RegistryPage:
    """One page of the list. Needs registry.read."""
    require(actor, "registry.read")
    limit = min(max(limit, 1), PAGE_MAX)
    ids = await _found(db, _given(actor, wanted) | {"after": after, "points": False, "limit": limit + 1})
    more = len(ids) > limit
    rows = cast(list[RegistryRow], await db.rows(SQL["lines"], {"ids": ids[:limit]}))
    return RegistryPage(rows=rows, next=rows[-1]["key"] if more and rows else None)


async def registry_page_at(
    db: Database,
    actor: Actor,
    wanted: Filter,
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    after: str = "",
    limit: int = PAGE,
) -> RegistryPage:
    """The page as it stood at a moment (city time), as known at another (wall time). Raises BadInput."""
    require(actor, "registry.read")
    if any(moment is not None and moment.tzinfo is None for moment in (as_of, known_at)):
        raise BadInput("bad_time", "as_of and known_at have a zone")
    limit = min(max(limit, 1), PAGE_MAX)
    async with db.reader() as conn:
        now = await begin(conn, actor.name, lock=False)
        moments = {"as_of": as_of or now.city, "known_at": known_at or now.recorded}
        given = _given(actor, wanted) | moments | {"after": after, "limit": limit + 1}
        rows = cast(Any, await (await conn.execute(SQL["lines_at"], given, prepare=False)).fetchall())
    return RegistryPage(rows=rows[:limit], next=rows[limit - 1]["key"] if len(rows) > limit else None)


async def registry_points(db: Database, actor: Actor, wanted: Filter, *, limit: int) -> list[int]:
    """Ids of the objects of the list that have a device, in the order of keys. Needs registry.read."""
    require(actor, "registry.read")
    return await _found(db, _given(actor, wanted) | {"after": "", "points": True, "limit": limit})


async def _found(db: Database, given: dict[str, Any]) -> list[int]:
    async with db.reader() as conn:
        # Never a plan for any parameters: an empty search and a rare word want different ones.
        rows = await (await conn.execute(SQL["found"], given, prepare=False)).fetchall()
    return [row["object_id"] for row in rows]


async def classes_in_use(db: Database, actor: Actor) -> list[str]:
    """Classes that have objects. Needs registry.read."""
    require(actor, "registry.read")
    return [row["class"] for row in await db.rows(SQL["classes"])]


async def profile_names(db: Database, actor: Actor) -> list[str]:
    """Names of all profiles. Needs registry.read."""
    require(actor, "registry.read")
    return [row["name"] for row in await db.rows(SQL["profiles"])]
