"""Writes incidents inside a transaction: row, version, log, notice for reactions. For incidents.py and the worker."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from citynet.db import Connection, Row, named_sql
from citynet.errors import Conflict, NotFound
from situation_center.incident_states import Change, conditions_changed
from situation_center.store import add_outbox

SQL = named_sql(Path(__file__).with_name("incidents.sql"))
NOTICE = "notice.incident"
# Actions that people outside hear of; counts and comments stay inside.
SILENT = frozenset({"comment", "join", "overdue", "undo", "command"})


class Notice(msgspec.Struct, frozen=True):
    """A change of an incident as reactions get it: the row after the change. Times are city time."""

    incident_id: int
    action: str
    actor: str
    at: datetime
    incident: dict[str, Any]


async def lock(conn: Connection, incident_id: int, *, version: int | None = None) -> Row:
    """The incident, locked until the end of the transaction. Raises NotFound, Conflict on another version."""
    row = await (await conn.execute(SQL["lock"], [incident_id])).fetchone()
    if row is None:
        raise NotFound(f"no incident {incident_id}")
    if version is not None and row["version"] != version:
        raise Conflict("somebody changed this incident first: look at it again")
    return row


async def write(conn: Connection, row: Row, change: Change, *, actor: str, now: datetime) -> Row:
    """Apply a change: the row after it. A change without columns bumps `change` only, so that screens read again."""
    columns = dict(change.columns)
    bump = 1 if columns else 0
    assignments = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in columns]
    assignments += [sql.SQL("version = version + {}, change = nextval('incident_change')").format(sql.Literal(bump))]
    query = sql.SQL("UPDATE incident SET {} WHERE incident_id = {} RETURNING *").format(
        sql.SQL(", ").join(assignments), sql.Placeholder("incident_id")
    )
    after = await (await conn.execute(query, columns | {"incident_id": row["incident_id"]})).fetchone()
    assert after is not None
    await add_log(conn, after, change, actor=actor, now=now)
    await notify(conn, after, change.action, actor=actor, now=now)
    return after


async def add_log(conn: Connection, row: Mapping[str, Any], change: Change, *, actor: str, now: datetime) -> None:
    """A line in the history. What the machine says is kept in both languages."""
    detail = dict(change.detail)
    if change.text_ru != change.text_en:
        detail |= {"ru": change.text_ru, "en": change.text_en}
    given = {
        "incident_id": row["incident_id"],
        "at": now,
        "actor": actor,
        "action": change.action,
        "text": change.text_en,
        "detail": Jsonb(detail),
    }
    await conn.execute(SQL["add_log"], given)


async def notify(conn: Connection, row: Row, action: str, *, actor: str, now: datetime) -> None:
    """Leave a notice for the reactions with the commit."""
    if action in SILENT:
        return
    shown = {name: value for name, value in row.items() if name not in {"change", "zone_ids"}}
    notice = Notice(row["incident_id"], action, actor, now, shown)
    await add_outbox(conn, NOTICE, payload=msgspec.json.encode(notice))


async def absorb(conn: Connection, row: Row, target: Row, *, by: str, actor: str, now: datetime) -> None:
    """Move what is inside an incident into another; both remember why."""
    given = {"incident_id": row["incident_id"], "into": target["incident_id"], "merged_by": by}
    await conn.execute(SQL["move_conditions"], given)
    inside = Change("join", {}, f"← {row['incident_id']}: {by}", f"← {row['incident_id']}: {by}")
    await add_log(conn, target, inside, actor=actor, now=now)
    await recount(conn, target, actor=actor, now=now)


async def recount(conn: Connection, row: Row, *, actor: str, now: datetime) -> Row:
    """Bring count and condition_active of a locked incident to what is inside; the row after it."""
    inside = await (await conn.execute(SQL["recount"], [row["incident_id"]])).fetchone()
    assert inside is not None
    given = {"count": max(inside["count"], 1), "incident_id": row["incident_id"]}
    await conn.execute(SQL["set_count"], given)
    change = conditions_changed(row, active=inside["active"], now=now)
    return await write(conn, row, change, actor=actor, now=now) if change else row
