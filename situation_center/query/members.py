"""Whose readings are meant: a series, an object, all that lies or hangs in a place, within what the actor may know."""

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from citynet.access import Actor, require
from citynet.catalog import catalog
from citynet.db import Row, named_sql
from citynet.errors import BadInput, NotFound
from situation_center.store import Center
from situation_center.views.base import scope

SQL = named_sql(Path(__file__).with_name("query.sql"))
MAX_INT4 = 2_147_483_647


async def members(
    db: Center,
    actor: Actor,
    *,
    place: int | None = None,
    ids: Sequence[int] | None = None,
    quantities: Sequence[str] = (),
    after: int = -1,
    limit: int = MAX_INT4,
) -> list[Row]:
    """Series with the words of their objects and their newest values, in order of their number. Needs reading.read."""
    require(actor, "reading.read")
    given = {"place": place, "ids": None if ids is None else list(ids), "quantities": list(quantities)}
    return await db.rows(SQL["series"], {**given, "after": after, "limit": limit, **scope(actor)})


async def quantities(db: Center, actor: Actor, *, place: int | None = None) -> list[str]:
    """What the series of a place measure. Needs reading.read; the caller has asked for the right on the place."""
    require(actor, "reading.read")
    return [row["quantity"] for row in await db.rows(SQL["quantities"], {"place": place, **scope(actor)})]


async def one_series(db: Center, actor: Actor, series_id: int) -> Row:
    """A series that the actor may read. Raises NotFound."""
    found = await members(db, actor, ids=[series_id])
    if not found:
        raise NotFound(f"no series {series_id}")
    return found[0]


def city_zone(db: Center) -> ZoneInfo:
    """The zone of which days are meant."""
    return ZoneInfo(db.settings.timezone)


def counts(quantity: str) -> bool:
    """Whether a quantity is the register of a meter, of which consumption is asked."""
    known = catalog().quantities.get(quantity)
    return known is not None and known.kind == "cumulative"


def span(since: datetime, until: datetime) -> dict[str, Any]:
    """[since, until) as parameters. Raises BadInput."""
    if since.tzinfo is None or until.tzinfo is None or until <= since:
        raise BadInput("bad_window", "since comes before until, both with a zone")
    return {"since": since, "until": until}


def days(since: date, until: date) -> dict[str, Any]:
    """Local days as parameters. Raises BadInput."""
    if until <= since:
        raise BadInput("bad_window", "since comes before until")
    return {"since": since, "until": until}


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day."""
    return datetime.combine(day, time(), zone)
