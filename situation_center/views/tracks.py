"""The last way of a moving object. For the map, the page of the object and the REST API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from citynet.access import Actor, allowed, require
from citynet.db import Database, Row, named_sql
from citynet.errors import NotFound
from situation_center.tracks import Fix, believed, length_m, moment
from situation_center.views.base import SQL as VIEWS
from situation_center.views.base import scope

SQL = named_sql(Path(__file__).with_name("tracks.sql"))
PLACE = ("longitude", "latitude")
QUANTITIES = (*PLACE, "speed", "heading")
LENGTH = timedelta(hours=24)
READINGS_MAX = 100_000


@dataclass(frozen=True)
class Track:
    """The way without jumps, oldest first. doubtful: jumps left out; metres: how far."""

    fixes: list[Fix]
    doubtful: int
    metres: float


async def series_of(db: Database, object_id: int) -> dict[str, int]:
    """Quantity -> series that says where an object is; empty for what does not move."""
    rows = await db.rows(SQL["series"], {"object": object_id, "quantities": list(QUANTITIES)})
    found = {row["quantity"]: row["series_id"] for row in rows}
    return found if set(PLACE) <= found.keys() else {}


async def track(db: Database, actor: Actor, object_id: int, *, until: datetime, length: timedelta = LENGTH) -> Track:
    """Where an object was in the time before until (city). Raises NotFound. Needs reading.read."""
    require(actor, "reading.read")
    row = await db.row(VIEWS["object"], [object_id])
    if row is None or not allowed(actor, "reading.read", row):
        raise NotFound(f"no object {object_id}")
    series = await series_of(db, object_id)
    given = {"series": sorted(series.values()), "since": until - length, "until": until, "limit": READINGS_MAX}
    fixes = fixes_of(await db.rows(SQL["readings"], given | scope(actor)), series) if series else []
    way = believed(fixes)
    return Track(way, len(fixes) - len(way), length_m(way))


def fixes_of(rows: list[Row], series: Mapping[str, int]) -> list[Fix]:
    """Readings of one time make a fix; a place of which one half is missing is none. Oldest first."""
    names = {series_id: quantity for quantity, series_id in series.items()}
    said: dict[datetime, dict[str, float]] = {}
    for row in rows:
        said.setdefault(row["time"], {})[names[row["series_id"]]] = row["value"]
    return [
        Fix(moment(time), values["longitude"], values["latitude"], values.get("speed"), values.get("heading"))
        for time, values in sorted(said.items())
        if all(name in values for name in PLACE)
    ]
