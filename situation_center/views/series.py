"""Series in the read models: newest values, windows, steps."""

import math
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from citynet.access import Actor, allowed, require
from citynet.db import Row
from citynet.errors import BadInput, NotFound
from citynet.model import Used
from situation_center.store import Center
from situation_center.views.base import SQL, quantity, scope
from situation_center.views.rows import Period, Points, SeriesRow

POINTS_MAX = 10_000
HOUR_S = 3600
By = Literal["hour", "day", "month"]


def series_row(row: Row, *, low: float | None = None, high: float | None = None) -> SeriesRow:
    """A series with its words."""
    said = quantity(row["quantity"], row["unit"])
    names = ("series_id", "object_id", "object_ru", "object_en", "quantity", "unit", "time", "value", "quality")
    given: dict[str, Any] = {name: row[name] for name in names}
    words = {"title_ru": said.name_ru, "title_en": said.name_en}
    return cast(SeriesRow, {**given, **words, "low": low, "high": high})


async def newest(db: Center, *, objects: Sequence[int] = (), series: Sequence[int] = ()) -> list[SeriesRow]:
    """Series of objects, or named ones. The caller has asked for the right to read the objects."""
    rows = await db.rows(SQL["series"], {"objects": list(objects), "series": list(series)})
    return [series_row(row) for row in rows]


async def points(
    db: Center, actor: Actor, series_id: int, *, since: datetime, until: datetime, limit: int = 1000
) -> Points:
    """Readings of a series in [since, until); more than limit become means over equal steps. Needs reading.read.

    Raises NotFound, BadInput (naive or reversed times, limit outside 1..10000).
    """
    if since.tzinfo is None or until.tzinfo is None or until <= since:
        raise BadInput("bad_window", "since comes before until, both with a zone")
    if not 1 <= limit <= POINTS_MAX:
        raise BadInput("bad_limit", f"limit is 1 to {POINTS_MAX}")
    await _readable(db, actor, series_id)
    given = {"id": series_id, "since": since, "until": until, **scope(actor)}
    rows = await db.rows(SQL["points"], given | {"limit": limit + 1})
    kept = await db.row(SQL["kept_from"])
    gone = kept is not None and kept["kept_from"] is not None and since < kept["kept_from"]
    if len(rows) <= limit and not gone:
        return _points(series_id, rows, step_s=0)
    step_s = max(HOUR_S if gone else 1, math.ceil((until - since).total_seconds() / limit))
    if step_s >= HOUR_S:
        step_s, since = math.ceil(step_s / HOUR_S) * HOUR_S, since.replace(minute=0, second=0, microsecond=0)
        rows = await db.rows(SQL["rolled_steps"], given | {"since": since, "step_s": step_s})
        return _points(series_id, rows, step_s=step_s)
    return (await steps(db, actor, [series_id], since=since, until=until, step_s=step_s))[series_id]


async def _readable(db: Center, actor: Actor, series_id: int) -> None:
    """Raises Forbidden, NotFound."""
    place = await db.row(SQL["series_place"], [series_id])
    require(actor, "reading.read")
    if place is None or not allowed(actor, "reading.read", place):
        raise NotFound(f"no series {series_id}")


async def periods(
    db: Center, actor: Actor, series_id: int, *, by: By, since: date, until: date, begins: int = 1
) -> list[Period]:
    """Hours, days or months of a series in [since, until), local days of the city; months begin on a day of theirs.

    Needs reading.read. Raises NotFound, BadInput (reversed days, more periods than 10,000, begins outside 1..28).
    """
    if until <= since:
        raise BadInput("bad_window", "since comes before until")
    if not 1 <= begins <= 28:
        raise BadInput("bad_day", "months begin on a day from 1 to 28")
    await _readable(db, actor, series_id)
    ends: list[date] = [since, until]
    if by == "hour":
        ends = [datetime.combine(day, time(), ZoneInfo(db.settings.timezone)) for day in ends]
    given = {"id": series_id, "since": ends[0], "until": ends[1], "begins": begins, "limit": POINTS_MAX + 1}
    rows = await db.rows(SQL[f"periods_{by}"], given | scope(actor))
    if len(rows) > POINTS_MAX:
        raise BadInput("bad_window", f"more than {POINTS_MAX} periods")
    return [cast(Period, {**row, "marks": marks(row["marks"])}) for row in rows]


def marks(bits: int) -> list[str]:
    """Words of the bits of a consumption."""
    return [mark.name.lower() for mark in Used if mark & bits and mark.name]


async def steps(
    db: Center, actor: Actor, ids: Sequence[int], *, since: datetime, until: datetime, step_s: int
) -> dict[int, Points]:
    """Means over equal steps, of many series at once; nothing of those that the actor may not know."""
    given = {"ids": sorted(ids), "since": since, "until": until, "step_s": step_s, **scope(actor)}
    rows = await db.rows(SQL["steps"], given)
    return {i: _points(i, [row for row in rows if row["series_id"] == i], step_s=step_s) for i in ids}


def _points(series_id: int, rows: list[Row], *, step_s: int) -> Points:
    times, values = [row["time"] for row in rows], [row["value"] for row in rows]
    return Points(series_id=series_id, time=times, value=values, step_s=step_s)
