"""The top strip of the main screen."""

from citynet.access import Actor, require
from situation_center.store import Center
from situation_center.views.base import PRIORITIES, SQL, scope
from situation_center.views.rows import Strip


async def strip(db: Center, actor: Actor) -> Strip:
    """Counts, oldest un-acknowledged, alarm rate, lag, silent share, clock. Needs screen.open.

    ingest_lag_s is the age of the newest stored value in wall seconds; None when nothing is stored yet.
    """
    require(actor, "screen.open")
    given = scope(actor)
    async with db.reader() as conn:
        clock = await (await conn.execute(SQL["strip_clock"], given)).fetchone()
        incidents = {r["priority"]: r for r in await (await conn.execute(SQL["strip_incidents"], given)).fetchall()}
        devices = await (await conn.execute(SQL["strip_devices"], given)).fetchone()
    assert clock is not None
    assert devices is not None
    waiting = [row["oldest"] for row in incidents.values() if row["oldest"]]
    return Strip(
        now=clock["now"],
        speed=clock["speed"],
        timezone=db.settings.timezone,
        open={p: incidents[p]["open"] if p in incidents else 0 for p in PRIORITIES},
        unacknowledged={p: incidents[p]["unacknowledged"] if p in incidents else 0 for p in PRIORITIES},
        oldest_unacknowledged=min(waiting, default=None),
        alarm_rate_10min=clock["rate"],
        ingest_lag_s=None if clock["lag_s"] is None else max(0.0, clock["lag_s"]),
        devices=devices["devices"],
        silent=devices["silent"],
        sign_in_away=clock["sign_in_away"],
        silent_share=devices["silent"] / max(1, devices["devices"]),
    )
