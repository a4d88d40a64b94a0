"""Incidents as people work on them: each function asks access, checks the version, writes row, log and audit at once.

version is the row version the person saw: Conflict when somebody was faster. All return the new version.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from citynet.access import Actor, allowed, require
from citynet.db import Connection, Row
from citynet.errors import BadInput, Conflict, Forbidden, NotFound
from situation_center import incident_rows
from situation_center.incident_rows import SQL
from situation_center.incident_states import OPEN, UNDO_TAKEN_S, Change, changed_priority, former, move, words
from situation_center.store import Center, city_now

Decide = Callable[[Connection, Row, datetime], Awaitable[Change]]
TIMES = ("acknowledged", "deadline")


async def visible(db: Center, actor: Actor, incident_id: int) -> Row:
    """The incident as it is now. Raises NotFound also when the actor may not know of it."""
    row = await db.row(SQL["one"], [incident_id])
    if row is None or not allowed(actor, "incident.read", row):
        raise NotFound(f"no incident {incident_id}")
    return row


async def _step(
    db: Center,
    actor: Actor,
    incident_id: int,
    *,
    action: str,
    version: int | None,
    decide: Decide,
    right: str = "",
    also: int | None = None,
) -> int:
    seen = await visible(db, actor, incident_id)
    require(actor, f"incident.{right or action}", seen)
    async with db.transaction(actor.name, action=f"incident.{action}", object_=f"incident/{incident_id}") as conn:
        if also is not None and also < incident_id:
            await incident_rows.lock(conn, also)  # always in order of id: two merges cannot wait for each other
        row = await incident_rows.lock(conn, incident_id, version=version)
        now = await city_now(conn)
        change = await decide(conn, row, now)
        after = await incident_rows.write(conn, row, change, actor=actor.name, now=now)
    await db.announce("incident", incident_id, *([also] if also is not None else []))
    return int(after["version"])


def _plain(action: str, text: str = "", **columns: Any) -> Decide:
    """A step that needs nothing but the incident itself."""

    async def decide(_: Connection, row: Row, now: datetime) -> Change:
        return move(row, action, now=now, text=text, **columns)

    return decide


def _undoable(action: str, actor: Actor) -> Decide:
    async def decide(conn: Connection, row: Row, now: datetime) -> Change:
        owner = actor.account_id if action == "take" or row["owner_id"] is None else row["owner_id"]
        change = move(row, action, now=now, owner_id=owner)
        wall = await (await conn.execute("SELECT clock_timestamp()::text AS wall")).fetchone()
        change.detail.update({"former": former(row), "version": row["version"] + 1, "wall": wall and wall["wall"]})
        return change

    return decide


async def acknowledge(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """new -> acknowledged; the actor becomes the owner where there is none."""
    decide = _undoable("acknowledge", actor)
    return await _step(db, actor, incident_id, action="acknowledge", version=version, decide=decide)


async def take(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """The actor becomes the owner; a new incident is acknowledged by it."""
    return await _step(db, actor, incident_id, action="take", version=version, decide=_undoable("take", actor))


async def undo(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """Take back the actor's own acknowledge or take of the last UNDO_TAKEN_S (wall) when nothing happened since."""

    async def decide(conn: Connection, row: Row, now: datetime) -> Change:
        given = {"incident_id": incident_id, "actor": actor.name, "version": row["version"]}
        last = await (await conn.execute(SQL["undoable"], given | {"undo_s": UNDO_TAKEN_S})).fetchone()
        if last is None:
            raise Conflict(
                f"nothing of yours to take back: more than {UNDO_TAKEN_S} s ago, or the incident changed since"
            )
        before = dict(last["detail"]["former"])
        before |= {n: datetime.fromisoformat(before[n]) for n in TIMES if before[n]}
        return Change("undo", before, f"Отменено: {last['action']}", f"Undone: {last['action']}")

    return await _step(db, actor, incident_id, action="undo", version=version, decide=decide, right="acknowledge")


async def assign(db: Center, actor: Actor, incident_id: int, *, version: int, owner_id: int) -> int:
    """Give the incident to another account that may see it."""

    async def decide(conn: Connection, row: Row, now: datetime) -> Change:
        person = await (await conn.execute(SQL["person"], [owner_id])).fetchone()
        if person is None:
            raise NotFound(f"no account {owner_id}")
        services = person["services"]
        if services and row["service"] is not None and row["service"] not in services:
            raise Forbidden(f"{person['login']} does not work for {row['service']}")
        return move(row, "assign", now=now, text=f"→ {person['title'] or person['login']}", owner_id=owner_id)

    return await _step(db, actor, incident_id, action="assign", version=version, decide=decide)


async def dispatch(db: Center, actor: Actor, incident_id: int, *, version: int, org_id: int) -> int:
    """acknowledged -> dispatched to an organisation."""

    async def decide(conn: Connection, row: Row, now: datetime) -> Change:
        org = await (await conn.execute(SQL["organisation"], [org_id])).fetchone()
        if org is None:
            raise NotFound(f"no organisation {org_id}")
        change = move(row, "dispatch", now=now, org_id=org_id)
        return Change("dispatch", change.columns, f"→ {org['name_ru']}", f"→ {org['name_en']}")

    return await _step(db, actor, incident_id, action="dispatch", version=version, decide=decide)


async def start(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """-> in_progress."""
    return await _step(db, actor, incident_id, action="start", version=version, decide=_plain("start"))


async def comment(db: Center, actor: Actor, incident_id: int, *, version: int, text: str) -> int:
    """A line in the log. It overwrites nothing, so an older version is no conflict."""
    said = words(text, "a comment")

    async def decide(_: Connection, row: Row, now: datetime) -> Change:
        return Change("comment", {}, said, said)

    return await _step(db, actor, incident_id, action="comment", version=None, decide=decide)


async def resolve(db: Center, actor: Actor, incident_id: int, *, version: int, evidence: str) -> int:
    """-> resolved, with what shows it."""
    decide = _plain("resolve", words(evidence, "what shows that it is resolved"))
    return await _step(db, actor, incident_id, action="resolve", version=version, decide=decide)


async def verify(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """resolved -> verified by a senior operator."""
    return await _step(db, actor, incident_id, action="verify", version=version, decide=_plain("verify"))


async def close(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """verified -> closed."""
    return await _step(db, actor, incident_id, action="close", version=version, decide=_plain("close"))


async def reopen(db: Center, actor: Actor, incident_id: int, *, version: int, reason: str) -> int:
    """resolved, verified, closed or false_alarm -> acknowledged."""
    decide = _plain("reopen", words(reason, "a reason"))
    return await _step(db, actor, incident_id, action="reopen", version=version, decide=decide)


async def false_alarm(db: Center, actor: Actor, incident_id: int, *, version: int, reason: str) -> int:
    """-> false_alarm, with a reason."""
    decide = _plain("false_alarm", words(reason, "a reason"))
    return await _step(db, actor, incident_id, action="false_alarm", version=version, decide=decide)


async def merge(db: Center, actor: Actor, incident_id: int, *, version: int, into: int) -> int:
    """Move all conditions of incident_id to the open incident `into`."""
    if into == incident_id:
        raise BadInput("merge_into_itself", "choose another incident")
    require(actor, "incident.merge", await visible(db, actor, into))

    async def decide(conn: Connection, row: Row, now: datetime) -> Change:
        target = await incident_rows.lock(conn, into)
        if target["state"] not in OPEN:
            raise Conflict(f"incident {into} is {target['state']}: choose an open one")
        change = move(row, "merge", now=now, text=f"→ {into}", merged_into=into)
        await incident_rows.absorb(conn, row, target, by=actor.login, actor=actor.name, now=now)
        return change

    return await _step(db, actor, incident_id, action="merge", version=version, decide=decide, also=into)


async def set_priority(
    db: Center, actor: Actor, incident_id: int, *, version: int, priority: int, reason: str = ""
) -> int:
    """1..4; raising is free, lowering needs a reason."""

    async def decide(_: Connection, row: Row, now: datetime) -> Change:
        return changed_priority(row, priority, now=now, reason=reason)

    return await _step(db, actor, incident_id, action="priority", version=version, decide=decide)
