"""A window of a series for a chart or a program: readings, or hours or days where those are too many."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, cast

import numpy as np
from typing_extensions import TypedDict

from citynet.access import Actor
from citynet.db import Row
from citynet.errors import BadInput
from situation_center.query.filling import Fill, fill, usual_step
from situation_center.query.members import SQL, city_zone, counts, midnight, one_series, span
from situation_center.store import Center
from situation_center.views.base import scope

POINTS_MAX = 10_000
Step = Literal["raw", "hour", "day"]
Asked = Literal["auto", "raw", "hour", "day"]
HOUR, DAY, US = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Window(TypedDict):
    """Values of a series, oldest first. value: a reading, the mean of a step, or what a register counted in it.

    low, high: of the step, None where filled; filled: made up; more: the window holds more than are given.
    """

    series_id: int
    unit: str
    step: Step
    time: list[datetime]
    value: list[float]
    low: list[float | None]
    high: list[float | None]
    filled: list[bool]
    more: bool


async def window(
    db: Center,
    actor: Actor,
    series_id: int,
    *,
    since: datetime,
    until: datetime,
    points: int = 1_000,
    step: Asked = "auto",
    fill_with: Fill = "none",
    fill_max: timedelta = HOUR,
    original: bool = False,
) -> Window:
    """At most so many values in [since, until); original = without corrections. Raises NotFound, BadInput."""
    given = (
        span(since, until) | scope(actor) | {"id": series_id, "ids": [series_id], "place": None, "limit": points + 1}
    )
    if not 1 <= points <= POINTS_MAX:
        raise BadInput("bad_points", f"points are 1 to {POINTS_MAX}")
    if original and step in ("hour", "day"):
        raise BadInput("bad_step", "hours and days are of corrected readings: original goes with the step raw")
    found = await one_series(db, actor, series_id)
    given |= {"known": "-infinity" if original else "infinity", "counts": counts(found["quantity"])}
    chosen, rows = await _suited(db, given, points) if step == "auto" and not original else _as_asked(step)
    if rows is None:
        rows = await _rows(db, given, chosen)
    known = [row for row in rows[:points] if row["value"] is not None]
    line = _line(db, known, step=chosen, how=fill_with, longest=fill_max)
    words = {"series_id": series_id, "unit": found["unit"], "step": chosen, "more": len(rows) > points}
    return cast(Window, words | line)


def _as_asked(step: Asked) -> tuple[Step, None]:
    return ("raw" if step == "auto" else step), None


async def _rows(db: Center, given: dict[str, Any], step: Step) -> list[Row]:
    return await db.rows(SQL[f"window_{step}"], given | (_days(db, given) if step == "day" else {}))


def _days(db: Center, given: dict[str, Any]) -> dict[str, date]:
    """The local days that a window touches."""
    first, last = (moment.astimezone(city_zone(db)).date() for moment in (given["since"], given["until"] - US))
    return {"since": first, "until": last + DAY}


async def _suited(db: Center, given: dict[str, Any], points: int) -> tuple[Step, list[Row] | None]:
    """The finest step of which the window has no more than points, with its rows where they were read."""
    days = _days(db, given)
    counted = await db.row(SQL["counted"], given | days | {"quantities": []})
    assert counted
    # Days at both ends were counted whole, and today's last hour not at all: what might fit is tried.
    share = (given["until"] - given["since"]) / max(days["until"] - days["since"], DAY)
    if counted["readings"] * share <= 2 * points:
        rows = await _rows(db, given, "raw")
        if len(rows) <= points:
            return "raw", rows
    return ("hour" if (given["until"] - given["since"]) / HOUR <= points else "day"), None


def _line(db: Center, rows: Sequence[Row], *, step: Step, how: Fill, longest: timedelta) -> dict[str, Any]:
    """The columns of a window. Days are counted as days, since some have 23 or 25 hours."""
    if step == "day":
        at = np.array([row["time"].toordinal() for row in rows], np.int64)
        width, reach = 1, longest // DAY
    else:
        at = np.array([(row["time"] - EPOCH) // US for row in rows], np.int64)
        width = usual_step(at) if step == "raw" else HOUR // US
        reach = longest // US
    value = np.array([row["value"] for row in rows], np.float64)
    at, value, filled = fill(at, value, step=width, how=how, longest=reach, most=POINTS_MAX)
    real = iter(rows)
    bounds = [(None, None) if made else (lambda row: (row["low"], row["high"]))(next(real)) for made in filled]
    zone = city_zone(db)
    times = [midnight(date.fromordinal(d), zone) if step == "day" else EPOCH + d * US for d in at.tolist()]
    low, high = [one for one, _ in bounds], [one for _, one in bounds]
    return {"time": times, "value": value.tolist(), "low": low, "high": high, "filled": filled.tolist()}
