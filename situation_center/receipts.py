"""Brings commands to the state that their receipts and the city clock show. Called by the worker."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from citynet.db import Connection, Row
from citynet.errors import Unavailable
from situation_center import command_rows, command_states
from situation_center.command_rows import SQL
from situation_center.store import Center, city_now

ACTOR = "part:worker"
WORDS = {
    "confirmed": ("подтверждено показаниями", "confirmed by telemetry"),
    "rejected": ("отклонено устройством", "rejected by the device"),
    "failed": ("не выполнено", "failed"),
    "expired": ("не отправлено в срок", "not sent in time"),
    "unknown": ("результат неизвестен", "result unknown"),
}


async def apply(db: Center) -> int:
    """One look at all unfinished commands; the number of those that changed."""
    changed: list[Row] = []
    async with db.transaction(ACTOR) as conn:
        now = await city_now(conn)
        for row in await _open(db, conn, now):
            after = await _apply(conn, row, now)
            changed += [after] if after else []
    if changed:
        await db.announce("command", *(row["command_id"] for row in changed))
        about = {row["incident_id"] for row in changed if row["incident_id"] and row["state"] in WORDS}
        if about:
            await db.announce("incident", *sorted(about))
    return len(changed)


async def _open(db: Center, conn: Connection, now: datetime) -> list[Row]:
    """Unfinished commands with what was heard of them.

    "Dropped by the network server" ends a command only when all that was heard is stored: an ingest that died with
    "radiated" in hand stores it after what came later.
    """
    rows = await (await conn.execute(SQL["open"], {"now": now})).fetchall()
    dropped = {row["command_id"] for row in rows if command_states.dropped(row["kinds"] or ())}
    if not dropped:
        return rows
    complete = {one for one in dropped if not await _more_comes(db, one)}
    rows = await (await conn.execute(SQL["open"], {"now": now})).fetchall()  # with what was stored meanwhile
    return [r for r in rows if r["command_id"] in complete or not command_states.dropped(r["kinds"] or ())]


async def _more_comes(db: Center, command_id: uuid.UUID) -> bool:
    try:
        return await db.bus.last("RECEIPTS", f"receipts.{command_id}") is not None
    except Unavailable:
        return True


async def _apply(conn: Connection, seen: Row, now: datetime) -> Row | None:
    kinds: Sequence[str] = seen["kinds"] or ()
    if _next(seen, kinds, now=now, left=True) == seen["state"]:
        return None
    row = await (await conn.execute(SQL["lock"], [seen["command_id"]])).fetchone()
    if row is None or row["state"] != seen["state"] or row["deadline"] != seen["deadline"]:
        return None  # a person was faster: the next look sees what that made of it
    left = row["state"] not in command_states.WAITING
    if left and row["state"] == "queued" and not kinds and now > row["deadline"]:
        left = not await command_rows.hold_back(conn, row)
    state = _next(row, kinds, now=now, left=left)
    sent = next((t for k, t in zip(kinds, seen["times"] or (), strict=True) if k in command_states.LEFT), None)
    detail = _detail(state, seen)
    after = await command_rows.set_state(conn, row, state, actor=ACTOR, now=now, detail=detail, sent=sent)
    if state in command_states.FINAL:
        await conn.execute(SQL["end_expectation"], {"command_id": row["command_id"], "now": now})
    if row["incident_id"] and state in WORDS and not row["group_id"]:
        said = await command_rows.order_text(conn, row["object_id"], row["action"], args=row["args"])
        texts = (f"{said[0]} — {WORDS[state][0]}", f"{said[1]} — {WORDS[state][1]}")
        await command_rows.log_on_incident(conn, row["incident_id"], texts, actor=ACTOR, now=now)
    return after


def _next(row: Row, kinds: Sequence[str], *, now: datetime, left: bool) -> str:
    state = command_states.fold(row["state"], kinds)
    return command_states.at(state, now=now, deadline=row["deadline"], left=left)


def _detail(state: str, seen: dict[str, Any]) -> str:
    """What the newest receipt said, for those who ask why."""
    details = [str(d) for d in (seen["details"] or ()) if d]
    return details[-1][:500] if details and state in {"rejected", "failed", "expired"} else ""
