"""Commands as people order them: right, limits, second signature, then row, log, audit and outbox at once."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from citynet.access import Actor, allowed, require
from citynet.catalog import CommandSpec
from citynet.db import Connection, Row
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import command_rows
from situation_center.command_rows import SQL
from situation_center.command_states import WAITING
from situation_center.store import Center, city_now
from situation_center.targets import Target, Value, checked, chosen, targets

Args = Mapping[str, Value]
GROUP_MAX = 500
# A command to more devices than this is dangerous whatever it does.
GROUP_FREE = 50
APPROVAL_FOR = timedelta(minutes=10)
KEY_CHARS_MAX = 100


@dataclass(frozen=True)
class Order:
    """A checked request: what to tell whom."""

    actor: Actor
    object_id: int
    action: str
    args: dict[str, Value]
    key: str
    incident_id: int | None
    state: str


async def request(
    db: Center,
    actor: Actor,
    object_id: int,
    *,
    action: str,
    args: Args,
    idempotency_key: str,
    incident_id: int | None = None,
    confirmed: bool = False,
) -> list[uuid.UUID]:
    """Order an action on an object; ids of the commands, one for each device.

    A dangerous command of an operator waits for approve(). A senior operator or administrator gives confirmed=True
    (the typed confirmation on the screen) instead. The same idempotency_key gives the same ids and sends nothing again.
    Raises Forbidden, BadInput (argument outside its limits, nothing to command), NotFound, Conflict.
    """
    place = await _place(db, actor, object_id)
    found = chosen(targets(await db.rows(SQL["devices"], {"ids": [object_id]})), object_id, action)
    spec = found[0].spec(action)
    assert spec is not None
    for right in ("command.request", spec.right):
        require(actor, right, place)
    if len(found) > GROUP_MAX:
        raise BadInput("group_too_large", f"{len(found)} devices, at most {GROUP_MAX}")
    if not 0 < len(idempotency_key) <= KEY_CHARS_MAX or "\0" in idempotency_key:
        raise BadInput("bad_key", f"an idempotency key has 1 to {KEY_CHARS_MAX} characters")
    state = _first_state(actor, spec, place, group=len(found), confirmed=confirmed)
    key = f"{actor.login}:{idempotency_key}"
    order = Order(actor, object_id, action, checked(spec, args), key=key, incident_id=incident_id, state=state)
    detail = {"action": action, "args": order.args, "devices": len(found)}
    async with db.transaction(
        actor.name, action="command.request", object_=f"object/{place['key']}", detail=detail
    ) as conn:
        made = await _once(conn, order, found)
    await _tell(db, made, incident_id)
    return made


async def _place(db: Center, actor: Actor, object_id: int) -> Row:
    place = await db.row(SQL["object"], [object_id])
    if place is None or not allowed(actor, "registry.read", place):
        raise NotFound(f"no object {object_id}")
    return place


def _first_state(actor: Actor, spec: CommandSpec, place: Row, *, group: int, confirmed: bool) -> str:
    if not spec.dangerous and group <= GROUP_FREE:
        return "queued"
    if not allowed(actor, "command.approve", place):
        return "requested"
    if not confirmed:
        raise BadInput("confirmation_needed", f"{spec.title_en} is dangerous: type the confirmation")
    return "queued"


async def _once(conn: Connection, order: Order, found: list[Target]) -> list[uuid.UUID]:
    """Store the commands of a request, or find them when the same request came before."""
    await conn.execute(SQL["one_at_a_time"], [order.key])
    known = await (await conn.execute(SQL["same_request"], {"key": order.key})).fetchall()
    if known:
        if any((row["action"], row["args"]) != (order.action, order.args) for row in known):
            raise Conflict("this idempotency key was used for another command: take a new one")
        return [row["command_id"] for row in known]
    now = await city_now(conn)
    group = uuid.uuid4() if len(found) > 1 else None
    made = []
    for number, target in enumerate(found):
        key = f"{order.key}#{number}" if group else order.key
        made.append(await _store(conn, order, target, key=key, group=group, now=now))
    if order.incident_id is not None:
        said = await command_rows.order_text(conn, order.object_id, order.action, args=order.args)
        await command_rows.log_on_incident(conn, order.incident_id, said, actor=order.actor.name, now=now)
    return made


async def _store(
    conn: Connection, order: Order, target: Target, *, key: str, group: uuid.UUID | None, now: datetime
) -> uuid.UUID:
    spec = target.spec(order.action)
    assert spec is not None
    lifetime = timedelta(seconds=spec.ttl_s) if order.state == "queued" else APPROVAL_FOR
    given = {
        "key": key,
        "object_id": target.object_id,
        "device_id": target.row["device_id"],
        "incident_id": order.incident_id,
        "action": order.action,
        "args": Jsonb(order.args),
        "group_id": group,
        "state": order.state,
        "requested_by": order.actor.name,
        "requested": now,
        "deadline": now + lifetime,
    }
    row = await (await conn.execute(SQL["add"], given)).fetchone()
    assert row is not None
    await command_rows.add_log(conn, row, order.state, actor=order.actor.name, now=now)
    if order.state == "queued":
        await command_rows.send(conn, row, target, spec=spec, now=now)
    made: uuid.UUID = row["command_id"]
    return made


async def _tell(db: Center, ids: list[uuid.UUID], incident_id: int | None) -> None:
    await db.announce("command", *ids)
    if incident_id is not None:
        await db.announce("incident", incident_id)


async def approve(db: Center, actor: Actor, command_id: uuid.UUID) -> None:
    """The second signature for a command and its group, by another person with command.approve.

    Raises Conflict when it no longer waits.
    """
    first = await _visible(db, actor, command_id)
    require(actor, "command.approve", await _place(db, actor, first["object_id"]))
    if first["requested_by"] == actor.name:
        raise Conflict("the second signature comes from another person")
    async with db.transaction(actor.name, action="command.approve", object_=f"command/{command_id}") as conn:
        now = await city_now(conn)
        given = {"command_id": command_id, "group_id": first["group_id"]}
        rows = await (await conn.execute(SQL["lock_group"], given)).fetchall()
        for row in rows:
            if row["state"] not in WAITING:
                raise Conflict(f"this command is {row['state']}")
            devices = targets(await (await conn.execute(SQL["devices"], {"ids": [row["object_id"]]})).fetchall())
            target = chosen(devices, row["object_id"], row["action"])[0]
            spec = target.spec(row["action"])
            assert spec is not None
            row = {**row, "deadline": now + timedelta(seconds=spec.ttl_s)}
            await command_rows.add_log(conn, row, "approved", actor=actor.name, now=now)
            row = await command_rows.set_state(conn, row, "queued", actor=actor.name, now=now)
            await command_rows.send(conn, row, target, spec=spec, now=now)
    await _tell(db, [row["command_id"] for row in rows], first["incident_id"])


async def cancel(db: Center, actor: Actor, command_id: uuid.UUID) -> None:
    """Cancel what has not been sent. Raises Conflict when it has left."""
    first = await _visible(db, actor, command_id)
    require(actor, "command.cancel", await _place(db, actor, first["object_id"]))
    async with db.transaction(actor.name, action="command.cancel", object_=f"command/{command_id}") as conn:
        row = await (await conn.execute(SQL["lock"], [command_id])).fetchone()
        assert row is not None
        held = row["state"] in WAITING or (row["state"] == "queued" and await command_rows.hold_back(conn, row))
        if not held:
            raise Conflict(f"this command is {row['state']} and has left: order the opposite instead")
        await command_rows.set_state(conn, row, "cancelled", actor=actor.name, now=await city_now(conn))
    await _tell(db, [command_id], first["incident_id"])


async def _visible(db: Center, actor: Actor, command_id: uuid.UUID) -> Row:
    row = await db.row(SQL["one"], [command_id])
    if row is None or not allowed(actor, "command.read", await db.row(SQL["object"], [row["object_id"]])):
        raise NotFound(f"no command {command_id}")
    return row
