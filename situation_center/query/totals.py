"""What the series of a place say together: sums of consumption, means and ranges of gauges, and of how many that is."""

from datetime import date, datetime
from typing import cast

from typing_extensions import TypedDict

from citynet.access import Actor, require
from citynet.errors import BadInput
from situation_center.query.members import SQL, city_zone, counts, days, midnight
from situation_center.store import Center
from situation_center.views.base import quantity as known_quantity
from situation_center.views.base import scope
from situation_center.views.series import POINTS_MAX, By, marks


class Total(TypedDict):
    """One hour, local day or month. series have readings; registers have consumption, whole ones for all of it.

    share: of all members, those whose part is in it, so that a sum that misses meters says so; mean: of their means.
    """

    start: datetime | date
    series: int
    registers: int
    whole: int
    share: float
    low: float | None
    high: float | None
    mean: float | None
    used: float | None
    marks: list[str]


class Totals(TypedDict):
    """members: how many series of the place measure this now."""

    quantity: str
    unit: str
    members: int
    rows: list[Total]


async def totals(
    db: Center,
    actor: Actor,
    *,
    place: int | None,
    quantity: str,
    by: By,
    since: date,
    until: date,
    begins: int = 1,
) -> Totals:
    """Of an object, a zone with all in it, or the city (place None), local days [since, until). Raises BadInput.

    Needs reading.read; whoever asks has seen to it that the place may be known.
    """
    require(actor, "reading.read")
    given = {"place": place, "quantities": [quantity], **days(since, until), "begins": begins, **scope(actor)}
    if not 1 <= begins <= 28:
        raise BadInput("bad_day", "months begin on a day from 1 to 28")
    if by == "hour":
        zone = city_zone(db)
        given |= {"since": midnight(since, zone), "until": midnight(until, zone)}
    if (until - since).days * (24 if by == "hour" else 1) > POINTS_MAX:
        raise BadInput("bad_window", f"more than {POINTS_MAX} periods")
    counted = await db.row(SQL["members"], given)
    assert counted
    rows, of = await db.rows(SQL[f"totals_{by}"], given), "registers" if counts(quantity) else "series"
    found = [{**row, "marks": marks(row["marks"]), "share": row[of] / max(counted["n"], 1)} for row in rows]
    unit = known_quantity(quantity).unit
    return Totals(quantity=quantity, unit=unit, members=counted["n"], rows=cast(list[Total], found))
