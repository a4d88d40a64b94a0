"""Tells of the state of the system itself as an event: one on each change, none between, whoever of ingest sees it."""

from dataclasses import dataclass

import msgspec

from citynet.catalog import catalog
from citynet.db import Connection
from citynet.model import Event, LiveChanged, edge_event
from citynet.part import Part
from ingest import events
from ingest.lane import ACTOR
from ingest.table import SQL


@dataclass(frozen=True, slots=True)
class State:
    """What is true now. Neither bad nor well: it stays as it was told. Texts are Russian and English."""

    bad: bool
    well: bool
    value: float
    why: tuple[str, str]
    back: tuple[str, str]


async def tell(part: Part, rule: str, *, key: str, state: State) -> bool:
    """Say it where it differs from what was said last; False while the object `key` is not registered."""
    given = {"rule": rule, "key": key}
    row = await part.db.row(SQL["told"], given)
    if row is None:
        return False
    if not _news(told=row["told"], state=state):
        return True
    async with part.db.transaction(ACTOR) as conn:
        changed = await _store(conn, part, rule, given=given, state=state)
    if changed:
        await part.bus.push("live.condition", msgspec.json.encode(LiveChanged(changed)))
    return True


def _news(*, told: bool, state: State) -> bool:
    return state.well if told else state.bad


async def _store(conn: Connection, part: Part, rule: str, *, given: dict[str, str], state: State) -> list[str]:
    await conn.execute(SQL["lock_told"])  # another process of ingest may be saying the same
    row = await (await conn.execute(SQL["told"], given)).fetchone()
    if row is None or not _news(told=row["told"], state=state):
        return []
    event = _event(part, rule, row["object_id"], close=row["told"], state=state)
    return [one for one in await events.store(conn, [event]) if one]


def _event(part: Part, rule: str, object_id: int, *, close: bool, state: State) -> Event:
    known, why = catalog().rules[rule], state.back if close else state.why
    return edge_event(
        rule,
        object_id,
        why,
        signal=known.signal,
        over=close,
        time=part.clock.now(),
        severity=known.severity,
        value=state.value,
    )
