"""Health of devices: who is silent and why, whose battery ends, whose clock is wrong; as the viewer may know it."""

from datetime import datetime
from typing import Any, cast

from typing_extensions import TypedDict

from citynet.access import Actor, require
from situation_center.battery import days_left
from situation_center.store import Center
from situation_center.views.base import SQL, scope

BATTERY_DAYS = 60
CLOCK_S = 60.0
LIMIT = 200


class Place(TypedDict):
    """An object by its names."""

    object_id: int
    object_ru: str
    object_en: str
    class_: str


class SilentRow(Place):
    """A silent object; behind = how many that hang on it are silent too, and are not listed by themselves."""

    since: datetime
    heard: datetime | None
    behind: int


class BatteryRow(Place):
    """A battery: percent now, and days until it is at 10 %; None where it does not fall or too little is known."""

    percent: float
    time: datetime
    days: float | None


class ClockRow(Place):
    """A clock: seconds by which its newest report was behind its arrival, negative when ahead."""

    behind_s: float
    time: datetime


class Health(TypedDict):
    """All of it; the worst first."""

    silent: list[SilentRow]
    batteries: list[BatteryRow]
    clocks: list[ClockRow]


async def health(db: Center, actor: Actor) -> Health:
    """What is wrong with devices now. Raises Forbidden."""
    require(actor, "registry.read")
    given = scope(actor) | {"limit": LIMIT, "clock_s": CLOCK_S, "days": BATTERY_DAYS}
    given["history_s"] = db.settings.history_after_s
    silent = await db.rows(SQL["health_silent"], given)
    clocks = await db.rows(SQL["health_clocks"], given)
    batteries = _batteries(await db.rows(SQL["health_batteries"], given))
    return Health(
        silent=[cast(SilentRow, row) for row in silent],
        batteries=batteries,
        clocks=[cast(ClockRow, row) for row in clocks],
    )


def _batteries(rows: list[dict[str, Any]]) -> list[BatteryRow]:
    found = [cast(BatteryRow, {**row, "days": days_left(row.pop("ages"), row.pop("levels"))}) for row in rows]
    return sorted(found, key=lambda row: (row["days"] is None, row["days"] or 0.0, row["percent"]))[:LIMIT]
