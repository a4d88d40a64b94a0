"""Health of devices: silent ones and why, batteries, clocks, radio; as the viewer may know it."""

from datetime import datetime
from typing import cast

from typing_extensions import TypedDict

from citynet.access import Actor, require
from situation_center.store import Center
from situation_center.views.base import SQL, scope
from situation_center.views.radio import Place, Radio, radio

LIMIT = 200


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
    """A clock: seconds by which it is behind, negative when ahead, since it was told of; why says for how long."""

    behind_s: float
    opened: datetime
    why_ru: str
    why_en: str


class StuckRow(Place):
    """A value that has not changed for much longer than ever before; why says for how long."""

    quantity: str | None
    unit: str | None
    value: float | None
    opened: datetime
    why_ru: str
    why_en: str


class IdentityRow(TypedDict):
    """Trouble at sign-in: who (object_id None = not registered), why, how often in the last day, what was seen last."""

    external_id: str
    object_id: int | None
    object_ru: str | None
    object_en: str | None
    reason: str
    times: int
    last: datetime
    detail: str


class Health(TypedDict):
    """All of it; the worst first."""

    silent: list[SilentRow]
    batteries: list[BatteryRow]
    clocks: list[ClockRow]
    radio: Radio
    identity: list[IdentityRow]
    stuck: list[StuckRow]


async def health(db: Center, actor: Actor) -> Health:
    """What is wrong with devices now. Raises Forbidden."""
    require(actor, "registry.read")
    given = scope(actor) | {"limit": LIMIT}
    silent = await db.rows(SQL["health_silent"], given)
    clocks = await db.rows(SQL["health_clocks"], given)
    batteries = await db.rows(SQL["health_batteries"], given)
    return Health(
        silent=[cast(SilentRow, row) for row in silent],
        batteries=[cast(BatteryRow, row) for row in batteries],
        clocks=[cast(ClockRow, row) for row in clocks],
        radio=await radio(db, actor, limit=LIMIT),
        stuck=[cast(StuckRow, row) for row in await db.rows(SQL["health_stuck"], given)],
        identity=[cast(IdentityRow, row) for row in await db.rows(SQL["health_identity"], given)],
    )
