"""The registry as a list: search, filters, pages by key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from citynet.access import Actor, require
from citynet.db import Database, named_sql
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
    given = _given(actor, wanted) | {"after": after, "limit": min(max(limit, 1), PAGE_MAX) + 1}
    async with db.reader() as conn:
        # Never a plan for any parameters: an empty search and a rare word want different ones.
        cursor = await conn.execute(SQL["listed"], given, prepare=False)
        rows = cast(list[RegistryRow], await cursor.fetchall())
    more = len(rows) == given["limit"]
    rows = rows[: given["limit"] - 1]
    return RegistryPage(rows=rows, next=rows[-1]["key"] if more else None)


async def registry_points(db: Database, actor: Actor, wanted: Filter, *, limit: int) -> list[int]:
    """Ids of the objects of the list that have a device, in the order of keys. Needs registry.read."""
    require(actor, "registry.read")
    async with db.reader() as conn:
        given = _given(actor, wanted) | {"limit": limit}
        rows = await (await conn.execute(SQL["points"], given, prepare=False)).fetchall()
    return [row["object_id"] for row in rows]


async def classes_in_use(db: Database, actor: Actor) -> list[str]:
    """Classes that have objects. Needs registry.read."""
    require(actor, "registry.read")
    return [row["class"] for row in await db.rows(SQL["classes"])]


async def profile_names(db: Database, actor: Actor) -> list[str]:
    """Names of all profiles. Needs registry.read."""
    require(actor, "registry.read")
    return [row["name"] for row in await db.rows(SQL["profiles"])]
