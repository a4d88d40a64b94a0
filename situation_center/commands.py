"""Commands as people order them: right, limits, second signature, then row, log, audit and outbox at once."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.types.json import Jsonb

from citynet.access import Actor, allowed, require
from citynet.catalog import CommandSpec
from citynet.db import Connection, Row
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import command_rows
from situation_center.command_rows import SQL
from situation_center.command_states import FINAL, WAITING
from situation_center.store import Center, city_now
from situation_center.targets import Target, Value, checked, chosen, targets

Args = Mapping[str, Value]
GROUP_MAX = 500
# A command to more devices than this is dangerous whatever it does.
GROUP_FREE = 50
# How long a command waits for its second signature, and for its wave.
WAITS_FOR = {"requested": timedelta(minutes=10), "approved": timedelta(hours=24)}
KEY_CHARS_MAX = 100
NOTHING_DONE = frozenset({"requested", "approved", "queued", "rejected", "expired", "cancelled"})


@dataclass(frozen=True)
class Wish:
    """What one device is to be told; undoes names the command that it takes back."""

    target: Target
    action: str
    args: dict[str, Value]
    undoes: uuid.UUID | None = None

    @property
    def spec(self) -> CommandSpec:
        """The profile's words for it."""
        spec = self.target.spec(self.action)
        assert spec is not None
        return spec


@dataclass(frozen=True)
class Order:
    """A checked request: what to tell whom. object_id is where it was given."""

    actor: Actor
    object_id: int
    wishes: list[Wish]
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
    wishes = [Wish(target, action, _arguments(target, action, args)) for target in found]
    state = permitted(actor, place, wishes, confirmed=confirmed)
    key = key_of(actor, idempotency_key)
    return await _order(db, Order(actor, object_id, wishes, key=key, incident_id=incident_id, state=state), place)


async def roll_back(
    db: Center, actor: Actor, command_id: uuid.UUID, *, idempotency_key: str = "", confirmed: bool = False
) -> uuid.UUID:
    """Order what brings back the value that telemetry showed before a command; the id of that new command.

    Rights and second signature are those of any command. Without a key one command is rolled back once.
    Raises Conflict where nothing was done or nothing is known to go back to.
    """
    first, wish = await undo_of(db, actor, command_id)
    place = await _place(db, actor, first["object_id"])
    state = permitted(actor, place, [wish], confirmed=confirmed)
    key = key_of(actor, idempotency_key) if idempotency_key else f"undo:{command_id}"
    order = Order(actor, first["object_id"], [wish], key=key, incident_id=first["incident_id"], state=state)
    (made,) = await _order(db, order, place)
    return made


async def undo_of(db: Center, actor: Actor, command_id: uuid.UUID) -> tuple[Row, Wish]:
    """A command and what roll_back would order. Raises Conflict where nothing can be taken back."""
    first = await _visible(db, actor, command_id)
    if first["state"] in NOTHING_DONE:
        raise Conflict(f"this command is {first['state']}: nothing was done that could be rolled back")
    devices = targets(await db.rows(SQL["devices"], {"ids": [first["object_id"]]}))
    target = chosen(devices, first["object_id"], first["action"])[0]
    back = target.undo(first)
    if back is None:
        raise Conflict("nothing is known that this could be rolled back to: order what you want instead")
    return first, Wish(target, *back, undoes=command_id)


def _arguments(target: Target, action: str, args: Args) -> dict[str, Value]:
    spec = target.spec(action)
    assert spec is not None
    return checked(spec, args)


def key_of(actor: Actor, idempotency_key: str) -> str:
    if not 0 < len(idempotency_key) <= KEY_CHARS_MAX or "\0" in idempotency_key:
        raise BadInput("bad_key", f"an idempotency key has 1 to {KEY_CHARS_MAX} characters")
    return f"{actor.login}:{idempotency_key}"


async def _place(db: Center, actor: Actor, object_id: int) -> Row:
    place = await db.row(SQL["object"], [object_id])
    if place is None or not allowed(actor, "registry.read", place):
        raise NotFound(f"no object {object_id}")
    return place


def permitted(actor: Actor, place: Row, wishes: list[Wish], *, confirmed: bool, most: int = GROUP_MAX) -> str:
    """The first state of an order: queued, or requested where a second person must sign. Raises Forbidden, BadInput."""
    for right in {"command.request", *(wish.spec.right for wish in wishes)}:
        require(actor, right, place)
    if len(wishes) > most:
        raise BadInput("group_too_large", f"{len(wishes)} devices, at most {most}")
    dangerous = [wish.spec.title_en for wish in wishes if wish.spec.dangerous]
    if not dangerous and len(wishes) <= GROUP_FREE:
        return "queued"
    if not allowed(actor, "command.approve", place):
        return "requested"
    if not confirmed:
        what = dangerous[0] if dangerous else f"a command to {len(wishes)} devices"
        raise BadInput("confirmation_needed", f"{what} is dangerous: type the confirmation")
    return "queued"


async def _order(db: Center, order: Order, place: Row) -> list[uuid.UUID]:
    first = order.wishes[0]
    detail = {"action": first.action, "args": first.args, "devices": len(order.wishes)}
    async with db.transaction(
        order.actor.name, action="command.request", object_=f"object/{place['key']}", detail=detail
    ) as conn:
        made = await _once(conn, order)
    await _tell(db, made, order.incident_id)
    return made


async def _once(conn: Connection, order: Order) -> list[uuid.UUID]:
    """Store the commands of a request, or find them when the same request came before."""
    await conn.execute(SQL["one_at_a_time"], [order.key])
    known = await (await conn.execute(SQL["same_request"], {"key": order.key})).fetchall()
    if known:
        wanted = {wish.target.object_id: (wish.action, wish.args) for wish in order.wishes}
        if any(
            wanted.get(row["object_id"], (row["action"], row["args"])) != (row["action"], row["args"]) for row in known
        ):
            raise Conflict("this idempotency key was used for another command: take a new one")
        return [row["command_id"] for row in known]
    now = await city_now(conn)
    group = uuid.uuid4() if len(order.wishes) > 1 else None
    made = []
    for number, wish in enumerate(order.wishes):
        key = f"{order.key}#{number}" if group else order.key
        made.append(await _store(conn, order, wish, key=key, group=group, now=now))
    if order.incident_id is not None:
        first = order.wishes[0]
        said = await command_rows.order_text(conn, order.object_id, first.action, args=first.args)
        await command_rows.log_on_incident(conn, order.incident_id, said, actor=order.actor.name, now=now)
    return made


async def _store(
    conn: Connection,
    order: Order,
    wish: Wish,
    *,
    key: str,
    group: uuid.UUID | None,
    now: datetime,
) -> uuid.UUID:
    """Write a command in the first state of its order, and send it if that is queued; its id."""
    spec, target = wish.spec, wish.target
    given = {
        "key": key,
        "object_id": target.object_id,
        "device_id": target.row["device_id"],
        "incident_id": order.incident_id,
        "action": wish.action,
        "args": Jsonb(wish.args),
        "group_id": group,
        "state": order.state,
        "requested_by": order.actor.name,
        "requested": now,
        "deadline": now + (target.lifetime(spec) if order.state == "queued" else WAITS_FOR[order.state]),
        "undoes": wish.undoes,
        "quantity": spec.expect.quantity if spec.expect else "",
        "channel": spec.expect.channel if spec.expect else "",
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


async def approve(db: Center, actor: Actor, command_id: uuid.UUID) -> str:
    """The second signature for a command and its group, by another person with command.approve; the state after it.

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
        await conn.execute(SQL["start_group"], given | {"now": now})
        for row in rows:
            if row["state"] != "requested":
                if row["command_id"] == command_id:
                    raise Conflict(f"this command is {row['state']}")
                continue  # of a group: superseded meanwhile
            devices = targets(await (await conn.execute(SQL["devices"], {"ids": [row["object_id"]]})).fetchall())
            target = chosen(devices, row["object_id"], row["action"])[0]
            spec = target.spec(row["action"])
            assert spec is not None
            if row["wave"]:
                row = {**row, "deadline": now + WAITS_FOR["approved"]}
                await command_rows.set_state(conn, row, "approved", actor=actor.name, now=now)
                continue
            row = {**row, "deadline": now + target.lifetime(spec)}
            await command_rows.add_log(conn, row, "approved", actor=actor.name, now=now)
            row = await command_rows.set_state(conn, row, "queued", actor=actor.name, now=now)
            await command_rows.send(conn, row, target, spec=spec, now=now)
    await _tell(db, [row["command_id"] for row in rows], first["incident_id"])
    return "approved"


async def cancel(db: Center, actor: Actor, command_id: uuid.UUID) -> str:
    """Cancel what was not radiated; the state after it.

    A command that the gateway or a network server may hold keeps its state, with the wish to cancel it: the gateway
    alone knows whether it can be taken back, and its answer decides. Raises Conflict when it is known to have left.
    """
    first = await _visible(db, actor, command_id)
    require(actor, "command.cancel", await _place(db, actor, first["object_id"]))
    async with db.transaction(actor.name, action="command.cancel", object_=f"command/{command_id}") as conn:
        row = await (await conn.execute(SQL["lock"], [command_id])).fetchone()
        assert row is not None
        if row["state"] in FINAL:
            raise Conflict(f"this command is {row['state']}")
        done = await take_back(conn, row, actor.name, now=await city_now(conn))
        if done == "left":
            raise Conflict(f"this command is {row['state']} and has left: order the opposite instead")
    await _tell(db, [command_id], first["incident_id"])
    return "cancelled" if done == "cancelled" else str(row["state"])


async def take_back(conn: Connection, row: Row, actor: str, *, now: datetime) -> Literal["cancelled", "asked", "left"]:
    """Cancel a locked command, or ask the gateway to take it back. What has left stays as it is."""
    state: str = row["state"]
    if state in WAITING or (state == "queued" and await command_rows.hold_back(conn, row)):
        await command_rows.set_state(conn, row, "cancelled", actor=actor, now=now)
        return "cancelled"
    known = await (await conn.execute(SQL["left"], [row["command_id"]])).fetchone() or {"begun": False, "held": False}
    if not (state == "queued" and not known["begun"]) and not (state in {"queued", "sent"} and known["held"]):
        return "left"
    if not row["cancel_asked"]:
        await conn.execute(SQL["ask_cancel"], {"command_id": row["command_id"], "actor": actor})
        await command_rows.add_log(conn, row, state, actor=actor, now=now, detail="asked to cancel")
    return "asked"


async def _visible(db: Center, actor: Actor, command_id: uuid.UUID) -> Row:
    row = await db.row(SQL["one"], [command_id])
    if row is None or not allowed(actor, "command.read", await db.row(SQL["object"], [row["object_id"]])):
        raise NotFound(f"no command {command_id}")
    return row
