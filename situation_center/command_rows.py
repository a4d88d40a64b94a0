"""Writes commands inside a transaction: state, log, expectation, outbox. Used by commands.py and by receipts.py."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from citynet.catalog import CommandSpec
from citynet.db import Connection, Row, named_sql
from situation_center import incident_rows
from situation_center.command_states import FINAL, UNKNOWN_FOR
from situation_center.incident_states import Change
from situation_center.store import add_outbox
from situation_center.targets import Target, Value, effect

SQL = named_sql(Path(__file__).with_name("commands.sql"))


def msg_id(row: Mapping[str, object]) -> str:
    """Message id of a command in the outbox and on the stream."""
    return f"command:{row['command_id']}"


async def add_log(conn: Connection, row: Row, state: str, *, actor: str, now: datetime, detail: str = "") -> None:
    """A line in the history of a command."""
    given = {"command_id": row["command_id"], "at": now, "actor": actor, "state": state, "detail": detail}
    await conn.execute(SQL["add_log"], given)


async def set_state(
    conn: Connection, row: Row, state: str, *, actor: str, now: datetime, detail: str = "", sent: datetime | None = None
) -> Row:
    """Write a state and its log line; the row after it."""
    after: Row = {
        **row,
        "state": state,
        "detail": detail or row["detail"],
        "sent": row["sent"] or sent,
        "finished": now if state in FINAL else None,
    }
    names = ("command_id", "state", "detail", "sent", "finished", "deadline")
    await conn.execute(SQL["set_state"], {name: after[name] for name in names})
    await add_log(conn, row, state, actor=actor, now=now, detail=detail)
    return after


async def hold_back(conn: Connection, row: Row) -> bool:
    """Take the message of a command out of the outbox; False when it has left."""
    return (await conn.execute(SQL["hold_back"], [msg_id(row)])).rowcount > 0


async def send(conn: Connection, row: Row, target: Target, *, spec: CommandSpec, now: datetime) -> None:
    """Supersede older wishes for the same quantity, expect the effect, hand the message to the outbox."""
    await _supersede(conn, row, spec, now=now)
    value = effect(spec, row["args"])
    if spec.expect is not None and value is not None:
        given = {
            "command_id": row["command_id"],
            "object_id": row["object_id"],
            "quantity": spec.expect.quantity,
            "channel": spec.expect.channel,
            "compare": spec.expect.compare,
            "target": value,
            "tolerance": spec.expect.tolerance,
            "since": now,
            "until": row["deadline"] + timedelta(seconds=spec.expect.window_s),
            # Late evidence may still confirm what became unknown.
            "late_until": row["deadline"] + UNKNOWN_FOR,
        }
        await conn.execute(SQL["expect"], given)
    message = target.message(row)
    payload = msgspec.json.encode(message)
    await add_outbox(conn, f"commands.{message.external_id}", payload=payload, msg_id=msg_id(row))


async def _supersede(conn: Connection, row: Row, spec: CommandSpec, *, now: datetime) -> None:
    given = {
        "object_id": row["object_id"],
        "command_id": row["command_id"],
        "action": row["action"],
        "quantity": spec.expect.quantity if spec.expect else "",
        "channel": spec.expect.channel if spec.expect else "",
    }
    for older in await (await conn.execute(SQL["older"], given)).fetchall():
        await hold_back(conn, older)
        detail = f"by {row['command_id']}"
        await set_state(conn, older, "superseded", actor=row["requested_by"], now=now, detail=detail)
        await conn.execute(SQL["end_expectation"], {"command_id": older["command_id"], "now": now})


async def order_text(conn: Connection, object_id: int, action: str, *, args: Mapping[str, Value]) -> tuple[str, str]:
    """An order in words, Russian and English, for the history of an incident."""
    place = await (await conn.execute(SQL["object"], [object_id])).fetchone()
    given = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in args.items()
    )
    tail = f": {action} {given}".rstrip()
    return (place["name_ru"] + tail, place["name_en"] + tail) if place else (tail, tail)


async def log_on_incident(
    conn: Connection, incident_id: int, said: tuple[str, str], *, actor: str, now: datetime
) -> None:
    """A line about a command in the history of the incident it was given for."""
    row = await incident_rows.lock(conn, incident_id)
    await incident_rows.write(conn, row, Change("command", {}, *said), actor=actor, now=now)
