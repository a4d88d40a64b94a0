"""What is to be exported, how much that is about, and who may do so just now."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from citynet.access import Actor, require
from citynet.errors import BadInput, Unavailable
from situation_center.query.members import SQL, city_zone, span
from situation_center.store import Center
from situation_center.views.base import scope

Step = Literal["raw", "hour", "day", "month"]
Format = Literal["csv", "xlsx", "parquet"]
EACH_MAX = 2
DAY, US = timedelta(days=1), timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Wish:
    """What to export: readings or periods in [since, until) of series, of a place with all in it, or of the city.

    original: readings as received; begins: day on which months begin.
    """

    since: datetime
    until: datetime
    step: Step = "raw"
    place: int | None = None
    series: tuple[int, ...] = ()
    quantities: tuple[str, ...] = ()
    original: bool = False
    begins: int = 1


@dataclass(frozen=True)
class Plan:
    """A wish as parameters of queries; rows: about how many, 0 where nothing is rolled up yet."""

    wish: Wish
    given: dict[str, Any]
    rows: int

    @property
    def days(self) -> bool:
        """Whether rows are of local days or months, not of moments."""
        return self.wish.step in ("day", "month")

    def moment(self, at: int) -> datetime | date:
        """What a row's time means."""
        return EPOCH.date() + DAY * at if self.days else EPOCH + US * at


async def plan(db: Center, actor: Actor, wish: Wish) -> Plan:
    """Needs reading.read; series that the actor may not know are left out. Raises BadInput where it is too much."""
    require(actor, "reading.read")
    if wish.original and wish.step != "raw":
        raise BadInput("bad_step", "hours, days and months are of corrected readings: original goes with the step raw")
    given = {
        **span(wish.since, wish.until),
        **scope(actor),
        "ids": sorted(set(wish.series)) or None,
        "place": wish.place,
        "quantities": list(wish.quantities),
        "known": "-infinity" if wish.original else "infinity",
    }
    days = local_days(db, wish)
    counted = await db.row(SQL["counted"], given | days)
    assert counted
    share = (wish.until - wish.since) / max(days["until"] - days["since"], DAY)
    per_day = {"hour": 24.0, "day": 1.0, "month": 1 / 30.4}
    rows = round(counted["readings"] * share if wish.step == "raw" else counted["days"] * per_day[wish.step])
    if rows > db.settings.export_rows:
        raise BadInput(
            "too_many_rows",
            f"about {rows} rows, at most {db.settings.export_rows}: take a shorter time, fewer series or a longer step",
        )
    return Plan(wish, given | (days if wish.step in ("day", "month") else {}), rows)


def local_days(db: Center, wish: Wish) -> dict[str, date]:
    """The local days that a wish touches."""
    first, last = (moment.astimezone(city_zone(db)).date() for moment in (wish.since, wish.until - US))
    return {"since": first, "until": last + DAY}


@dataclass
class Slots:
    """Who exports just now; so many at once, and of one person no more than EACH_MAX."""

    running: Counter[int] = field(default_factory=Counter)

    @contextmanager
    def taken(self, actor: Actor, most: int) -> Iterator[None]:
        """One of them. Raises Unavailable."""
        if self.running.total() >= most or self.running[actor.account_id] >= EACH_MAX:
            raise Unavailable("other exports are running: try again when one of them has ended")
        self.running[actor.account_id] += 1
        try:
            yield
        finally:
            self.running[actor.account_id] -= 1


SLOTS = Slots()
