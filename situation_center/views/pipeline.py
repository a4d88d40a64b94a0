"""The pipeline page: what each part does per second, what lies in quarantine."""

import asyncio
from typing import cast

from citynet.access import Actor, allowed, require
from citynet.bus import NatsBus
from citynet.bus_lag import waiting
from citynet.db import Row
from citynet.errors import NotFound, Unavailable
from situation_center.live import Hub, PartSample
from situation_center.store import Center
from situation_center.views.base import SQL
from situation_center.views.rows import KeptRow, PartRow, Pipeline, QuarantineRow

QUARANTINE_MAX = 200
FORGOTTEN_S = 600


async def pipeline(db: Center, actor: Actor, hub: Hub) -> Pipeline:
    """Needs pipeline.read; the quarantine rows also need quarantine.read."""
    require(actor, "pipeline.read")
    may_see = allowed(actor, "quarantine.read")
    rows = await db.rows(SQL["quarantine"], {"limit": QUARANTINE_MAX}) if may_see else []
    sizes = await db.row(SQL["sizes"])
    assert sizes is not None
    now = asyncio.get_running_loop().time()
    backlog = await db.row(SQL["backlog"])
    return Pipeline(
        lags=await _lags(db),
        backlog=backlog["n"] if backlog else 0,
        kept=[cast(KeptRow, row) for row in await db.rows(SQL["kept"])],
        parts=[_part(sample, now) for sample in hub.parts.values() if now - sample.at < FORGOTTEN_S],
        reasons={row["reason"]: row["n"] for row in await db.rows(SQL["reasons"])},
        quarantine=[_quarantine(row) for row in rows],
        series=sizes["series"],
        newest_received=sizes["newest_received"],
    )


async def _lags(db: Center) -> dict[str, int] | None:
    if not isinstance(db.bus, NatsBus):
        return {}
    try:
        return (await waiting(db.bus)).by_stage()
    except Unavailable:
        return None


def _part(sample: PartSample, now: float) -> PartRow:
    stats, before = sample.stats, sample.before
    span = sample.at - sample.before_at
    rates = {n: (v - before.counters.get(n, 0)) / span for n, v in stats.counters.items()} if span > 0 else {}
    return PartRow(
        part=stats.part,
        pid=stats.pid,
        active=stats.active,
        age_s=now - sample.at,
        rates=rates,
        counters=stats.counters,
        gauges=stats.gauges,
    )


def _quarantine(row: Row) -> QuarantineRow:
    text = bytes(row["payload"]).decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return cast(QuarantineRow, {**row, "payload": text})


async def quarantined_bytes(db: Center, actor: Actor, quarantine_id: int) -> bytes:
    """The bytes of one refused frame. Raises NotFound. Needs quarantine.read."""
    require(actor, "quarantine.read")
    row = await db.row(SQL["quarantined"], [quarantine_id])
    if row is None:
        raise NotFound(f"nothing in quarantine under {quarantine_id}")
    return bytes(row["payload"])
