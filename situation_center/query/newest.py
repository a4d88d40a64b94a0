"""Newest values of everything in a place, now or as of any moment, with their quality and age."""

from datetime import datetime
from typing import Any, cast

from citynet.access import Actor
from citynet.errors import BadInput
from situation_center.query.members import SQL, members
from situation_center.store import Center, city_now
from situation_center.views.base import scope
from situation_center.views.rows import NewestPage, NewestRow
from situation_center.views.series import series_row

PAGE_MAX = 50_000


async def newest(
    db: Center,
    actor: Actor,
    *,
    place: int | None = None,
    quantities: tuple[str, ...] = (),
    after: int = -1,
    limit: int = 1_000,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> NewestPage:
    """A page of them in order of their number. Needs reading.read; the caller has asked for the right on the place.

    as_of: as they were at a moment of the city, by what is known now or was recorded until known_at (wall).
    """
    if not 1 <= limit <= PAGE_MAX:
        raise BadInput("bad_limit", f"limit is 1 to {PAGE_MAX}")
    if any(moment is not None and moment.tzinfo is None for moment in (as_of, known_at)):
        raise BadInput("bad_time", "as_of and known_at have a zone")
    rows = await members(db, actor, place=place, quantities=quantities, after=after, limit=limit)
    async with db.reader() as conn:
        moment = as_of or await city_now(conn)
    following = rows[-1]["series_id"] if len(rows) == limit else None
    if as_of or known_at:
        given = {"ids": [row["series_id"] for row in rows], "as_of": moment, "known_at": known_at or "infinity"}
        said = {row["series_id"]: row for row in await db.rows(SQL["newest_at"], given | scope(actor))}
        nothing = dict.fromkeys(("time", "value", "quality"))
        rows = [{**row, **said.get(row["series_id"], nothing)} for row in rows]
    return NewestPage(as_of=moment, rows=[_row(row, moment) for row in rows], next=following)


def _row(row: dict[str, Any], now: datetime) -> NewestRow:
    age_s = (now - row["time"]).total_seconds() if row["time"] else None
    return cast(NewestRow, {**series_row(row), "age_s": age_s})
