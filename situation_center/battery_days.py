"""Keeps the forecast of every battery: a median a day, so that no screen reads months of readings. For the worker."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from citynet.db import Row, named_sql
from situation_center.battery import DAYS_MIN, days_left
from situation_center.store import Center, city_now

SQL = named_sql(Path(__file__).with_name("battery.sql"))
ACTOR = "part:worker"
DAYS = 60
BATCH = 200
# A battery of which too little is known is looked at again so soon: its history may be on its way.
AGAIN_S = 30
CHANGED_PERCENT = 20.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Levels = list[float | None]


async def refresh(db: Center) -> int:
    """Bring up to BATCH batteries to yesterday, the last whole day of the city; how many there were."""
    async with db.transaction(ACTOR) as conn:
        last = (await city_now(conn) - EPOCH).days - 1
        given = {"last": last, "batch": BATCH, "again_s": AGAIN_S}
        due = await (await conn.execute(SQL["due"], given)).fetchall()
        if not due:
            return 0
        first = min(_first(row, last) for row in due)
        span = {"since": EPOCH + timedelta(days=first), "until": EPOCH + timedelta(days=last + 1)}
        cursor = await conn.execute(SQL["medians"], {"ids": [row["series_id"] for row in due], **span})
        fresh: dict[int, dict[int, float]] = defaultdict(dict)
        for row in await cursor.fetchall():
            fresh[row["series_id"]][row["day"]] = row["level"]
        for row in due:
            levels = turned(row["levels"] or [None] * DAYS, row["day"] or 0, last=last, fresh=fresh[row["series_id"]])
            known = {"series_id": row["series_id"], "day": last, "levels": levels, "change": row["change"]}
            await conn.execute(SQL["put"], known | {"days": forecast(levels, last)})
    return len(due)


def _first(row: Row, last: int) -> int:
    """The first day that must be read."""
    if row["levels"] is None or sum(level is not None for level in row["levels"]) < DAYS_MIN:
        return last - DAYS + 1
    return max(int(row["day"]) + 1, last - DAYS + 1)


def turned(levels: Levels, day: int, *, last: int, fresh: dict[int, float]) -> Levels:
    """The ring of days after day, up to last; days without a value are None."""
    ring = list(levels)
    for empty in range(max(day + 1, last - DAYS + 1), last + 1):
        ring[empty % DAYS] = None
    for known, level in fresh.items():
        ring[known % DAYS] = level
    return ring


def forecast(levels: Levels, last: int) -> float | None:
    """Days from last until the battery is empty, see battery.days_left()."""
    known = [(day, level) for day in range(last - DAYS + 1, last + 1) if (level := levels[day % DAYS]) is not None]
    # A new battery was put in where the level rises: what was before says nothing about it.
    fresh = [n for n in range(1, len(known)) if known[n][1] - known[n - 1][1] > CHANGED_PERCENT]
    known = known[fresh[-1] if fresh else 0 :]
    return days_left([float(day - last + DAYS) for day, _ in known], [level for _, level in known])
