"""What time alone does to incidents: overdue ones are named, proven ones verified, rested ones closed."""

from datetime import datetime, timedelta
from typing import Any

from situation_center import incident_rows
from situation_center.incident_rows import SQL
from situation_center.incident_states import Change, move
from situation_center.store import Center, city_now

ACTOR = "part:worker"
NORMAL_FOR = timedelta(minutes=10)
CLOSE_AFTER = timedelta(hours=24)
STEPS = {
    "acknowledge": ("принять", "acknowledge"),
    "dispatch": ("направить", "dispatch"),
    "restore": ("восстановить", "restore"),
}


async def watch(db: Center) -> int:
    """One look at all deadlines on the city clock; the number of incidents changed."""
    changed: list[int] = []
    async with db.transaction(ACTOR) as conn:
        now = await city_now(conn)
        looks: dict[str, dict[str, Any]] = {
            "overdue": {"now": now},
            "proven": {"before": now - NORMAL_FOR},
            "rested": {"before": now - CLOSE_AFTER},
        }
        for name, given in looks.items():
            for row in await (await conn.execute(SQL[name], given)).fetchall():
                change = _change(name, row, now)
                await incident_rows.write(conn, row, change, actor=ACTOR, now=now)
                changed.append(row["incident_id"])
    if changed:
        await db.announce("incident", *changed)
    return len(changed)


def _change(name: str, row: dict[str, Any], now: datetime) -> Change:
    if name == "overdue":
        ru, en = STEPS[row["deadline_kind"]]
        detail = {"kind": row["deadline_kind"], "deadline": row["deadline"].isoformat()}
        return Change("overdue", {}, f"Срок истёк: {ru}", f"Overdue: {en}", detail)
    if name == "proven":
        minutes = round(NORMAL_FOR.total_seconds() / 60)
        plain = move(row, "verify", now=now)
        ru, en = f"Норма по датчику {minutes} мин", f"Sensor normal for {minutes} min"
        return Change("verify", plain.columns, ru, en)
    plain = move(row, "close", now=now)
    return Change("close", plain.columns, "Закрыто по времени", "Closed by time")
