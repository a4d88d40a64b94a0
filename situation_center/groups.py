"""One action for many devices: chosen, previewed, ordered in waves, stopped at too many failures, rolled back.

Called by screens, REST and, for advance(), by the worker. Each command is one of commands.py and ends by itself."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from citynet.access import Actor, allowed, require
from citynet.db import Connection, Row, named_sql
from citynet.errors import BadInput, Conflict, NotFound
from situation_center import command_rows, commands
from situation_center.commands import Args, Wish
from situation_center.group_states import next_step, progress
from situation_center.store import Center, city_now
from situation_center.targets import Target, checked, targets

SQL = named_sql(Path(__file__).with_name("groups.sql"))
ACTOR = "part:worker"
DEVICES_MAX = 2_000
WAVE_MAX = 200
# What is not released within this expires.
GROUP_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Choice:
    """Whom a group means: all that is given must fit. tag is one of the object's tags."""

    objects: tuple[int, ...] = ()
    parent: int | None = None
    zone: int | None = None
    class_: str | None = None
    tag: str | None = None

    def columns(self) -> dict[str, Any]:
        """Parameters of the query `chosen`, and what is kept of the choice."""
        return {
            "objects": list(self.objects),
            "parent": self.parent,
            "zone": self.zone,
            "class": self.class_,
            "tag": self.tag,
        }


@dataclass(frozen=True)
class Waves:
    """How a group goes out: size devices at once, pause_s between waves, stop above a share of failures (0 to 1)."""

    size: int = 20
    pause_s: int = 10
    stop_share: float = 0.2

    def __post_init__(self) -> None:
        if not (1 <= self.size <= WAVE_MAX and 0 <= self.pause_s <= 3600 and 0 <= self.stop_share <= 1):
            raise BadInput("bad_waves", f"1 to {WAVE_MAX} devices, 0 to 3600 s, a share of 0 to 1")


@dataclass(frozen=True)
class Preview:
    """What an order would reach. silent: devices that do not report now, or whose cabinet or gateway does not."""

    able: list[Target] = field(default_factory=list)
    unable: int = 0
    forbidden: int = 0

    def dangerous(self, action: str) -> bool:
        """Whether the action has to be confirmed: by its kind, or because so many would get it."""
        return len(self.able) > commands.GROUP_FREE or any(s.dangerous for t in self.able if (s := t.spec(action)))

    @property
    def silent(self) -> list[Target]:
        """Those of able that are silent now."""
        return [target for target in self.able if target.row["silent"]]


async def preview(db: Center, actor: Actor, choice: Choice, *, action: str) -> Preview:
    """Who would get an action. Raises Forbidden, BadInput (nothing is chosen, too many)."""
    require(actor, "command.request")
    if choice == Choice():
        raise BadInput("nothing_chosen", "choose objects, a cabinet, a zone, a class or a tag")
    rows = await db.rows(SQL["chosen"], {**choice.columns(), "limit": DEVICES_MAX + 1})
    if len(rows) > DEVICES_MAX:
        raise BadInput("group_too_large", f"more than {DEVICES_MAX} devices")
    mine = [row for row in rows if allowed(actor, "registry.read", row)]
    able = [target for target in targets(mine) if target.spec(action)]
    permitted = [target for target in able if _may(actor, target, action)]
    return Preview(permitted, unable=len(mine) - len(able), forbidden=len(able) - len(permitted))


def _may(actor: Actor, target: Target, action: str) -> bool:
    spec = target.spec(action)
    assert spec is not None
    return all(allowed(actor, right, target.row) for right in ("command.request", spec.right))


async def actions(db: Center, actor: Actor, choice: Choice) -> list[Target]:
    """Targets of a choice that can be told anything at all: their profiles say what."""
    rows = await db.rows(SQL["chosen"], {**choice.columns(), "limit": DEVICES_MAX})
    return [target for target in targets(rows) if allowed(actor, "command.request", target.row)]


async def order(
    db: Center,
    actor: Actor,
    choice: Choice,
    *,
    action: str,
    args: Args,
    waves: Waves,
    idempotency_key: str,
    confirmed: bool = False,
) -> uuid.UUID:
    """Order an action for all of a choice, in waves; the id of the group.

    More than commands.GROUP_FREE devices, or a dangerous action, need a second person as any command does.
    Raises Forbidden, BadInput, Conflict.
    """
    found = (await preview(db, actor, choice, action=action)).able
    if not found:
        raise BadInput("no_such_command", f"nothing chosen can {action[:40]!r}")
    wishes = []
    for target in found:
        spec = target.spec(action)
        assert spec is not None
        wishes.append(Wish(target, action, checked(spec, args)))
    about = {"chosen": choice.columns(), "action": action, "args": wishes[0].args}
    return await _store(db, actor, wishes, about=about, waves=waves, key=idempotency_key, confirmed=confirmed)


async def roll_back(db: Center, actor: Actor, group_id: uuid.UUID, *, confirmed: bool = False) -> uuid.UUID:
    """Order for each device that a group has reached what telemetry showed before; the id of the new group.

    A group is rolled back once. Raises Conflict where nothing can be taken back.
    """
    group, rows = await _visible(db, actor, group_id)
    wishes = await _undoes(db, rows)
    about = {"chosen": group["chosen"], "action": group["action"], "args": group["args"], "undoes": group_id}
    waves = Waves(size=min(_largest(rows), WAVE_MAX), pause_s=group["pause_s"], stop_share=1.0)
    return await _store(db, actor, wishes, about=about, waves=waves, key=f"undo-{group_id}", confirmed=confirmed)


async def undo_of(db: Center, actor: Actor, group_id: uuid.UUID) -> tuple[list[Wish], bool]:
    """What roll_back would order, and whether that is dangerous: by its kind, or by the number of devices."""
    _, rows = await _visible(db, actor, group_id)
    wishes = await _undoes(db, rows)
    return wishes, len(wishes) > commands.GROUP_FREE or any(wish.spec.dangerous for wish in wishes)


async def _undoes(db: Center, rows: Sequence[Row]) -> list[Wish]:
    devices = targets(await db.rows(SQL["chosen"], {**_ids([r["object_id"] for r in rows]), "limit": DEVICES_MAX}))
    by_point = {(target.object_id, target.row["device_id"]): target for target in devices}
    wishes = []
    for row in rows:
        target = by_point.get((row["object_id"], row["device_id"]))
        back = target.undo(row) if target and row["state"] not in commands.NOTHING_DONE else None
        if target and back:
            wishes.append(Wish(target, *back, undoes=row["command_id"]))
    if not wishes:
        raise Conflict("nothing of this group can be rolled back")
    return wishes


def _ids(objects: list[int]) -> dict[str, Any]:
    return Choice(objects=tuple(objects)).columns()


def _largest(rows: Sequence[Row]) -> int:
    waves = [row["wave"] for row in rows]
    return max(waves.count(wave) for wave in set(waves))


async def _store(
    db: Center,
    actor: Actor,
    wishes: list[Wish],
    *,
    about: dict[str, Any],
    waves: Waves,
    key: str,
    confirmed: bool,
) -> uuid.UUID:
    state = "queued"
    for place in {(w.target.row["service"], tuple(w.target.row["zone_ids"])): w.target.row for w in wishes}.values():
        if commands.permitted(actor, place, wishes, confirmed=confirmed, most=DEVICES_MAX) == "requested":
            state = "requested"
    key = commands.key_of(actor, key)
    detail = {"action": about["action"], "args": about["args"], "devices": len(wishes)}
    async with db.transaction(actor.name, action="command.group", object_="command_group", detail=detail) as conn:
        await conn.execute(command_rows.SQL["one_at_a_time"], [key])
        known = await (await conn.execute(SQL["same_group"], [key])).fetchone()
        if known:
            if (known["chosen"], known["action"], known["args"]) != (about["chosen"], about["action"], about["args"]):
                raise Conflict("this idempotency key was used for another group: take a new one")
            found: uuid.UUID = known["group_id"]
            return found
        group_id, now = uuid.uuid4(), await city_now(conn)
        given = {
            "group_id": group_id,
            "key": key,
            "chosen": Jsonb(about["chosen"]),
            "action": about["action"],
            "args": Jsonb(about["args"]),
            "state": "requested" if state == "requested" else "running",
            "waves": -(-len(wishes) // waves.size),
            "pause_s": waves.pause_s,
            "stop_share": waves.stop_share,
            "now": now,
            "requested_by": actor.name,
            "undoes": about.get("undoes"),
        }
        await conn.execute(SQL["add_group"], given)
        first = "requested" if state == "requested" else "approved"
        commands_ = {
            "group_id": group_id,
            "state": first,
            "requested_by": actor.name,
            "requested": now,
            "deadline": now + commands.WAITS_FOR[first],
            "rows": Jsonb([_row(wish, f"{key}#{n}", wave=n // waves.size + 1) for n, wish in enumerate(wishes)]),
        }
        await conn.execute(command_rows.SQL["add_group_commands"], commands_)
    await db.announce("command", group_id)
    return group_id


def _row(wish: Wish, key: str, *, wave: int) -> Row:
    """A command of a group, as the query `add_group_commands` takes it."""
    expect = wish.spec.expect
    return {
        "key": key,
        "object_id": wish.target.object_id,
        "device_id": wish.target.row["device_id"],
        "action": wish.action,
        "args": wish.args,
        "undoes": str(wish.undoes) if wish.undoes else None,
        "wave": wave,
        "quantity": expect.quantity if expect else "",
        "channel": expect.channel if expect else "",
    }


async def _visible(db: Center, actor: Actor, group_id: uuid.UUID) -> tuple[Row, list[Row]]:
    group = await db.row(SQL["one_group"], [group_id])
    rows = await db.rows(SQL["commands_of"], [group_id]) if group else []
    places = (
        await db.rows(SQL["chosen"], {**_ids([r["object_id"] for r in rows]), "limit": DEVICES_MAX}) if rows else []
    )
    if group is None or not all(allowed(actor, "command.read", place) for place in places):
        raise NotFound(f"no group {group_id}")
    return group, rows


async def stop(db: Center, actor: Actor, group_id: uuid.UUID) -> None:
    """Release no further wave and take back what has not left. Raises Conflict when the group has ended."""
    require(actor, "command.cancel")
    await _visible(db, actor, group_id)
    async with db.transaction(actor.name, action="command.stop", object_=f"command_group/{group_id}") as conn:
        group = await (await conn.execute(SQL["lock_group"], [group_id])).fetchone()
        assert group is not None
        if group["finished"] is not None:
            raise Conflict(f"this group is {group['state']}")
        await _stop(conn, group, actor.name, state="cancelled" if group["wave"] == 0 else "stopped", why="person")
    await db.announce("command", group_id)


async def _stop(conn: Connection, group: Row, actor: str, *, state: str, why: str) -> None:
    now = await city_now(conn)
    for row in await (await conn.execute(SQL["unfinished"], [group["group_id"]])).fetchall():
        await commands.take_back(conn, row, actor, now=now)
    await _set(conn, group, state=state, finished=now, why=why)


async def _set(conn: Connection, group: Row, **changes: Any) -> None:
    names = ("group_id", "state", "wave", "next_at", "finished", "why")
    await conn.execute(SQL["set_group"], {name: changes.get(name, group[name]) for name in names})


async def advance(db: Center) -> int:
    """Bring every running group one step on: its next wave, its stop or its end; the number that moved."""
    moved = []
    async with db.transaction(ACTOR) as conn:
        now = await city_now(conn)
        for group in await (await conn.execute(SQL["running"])).fetchall():
            rows = await (await conn.execute(SQL["progress"], [group["group_id"]])).fetchall()
            seen = progress(rows, group["wave"])
            step = next_step(group, seen, now)
            if step == "release":
                await _release(conn, group, now=now)
            elif step == "stop":
                unsigned = group["state"] == "requested"
                why = "unsigned" if unsigned else f"{seen.failed}/{seen.released}"
                await _stop(conn, group, ACTOR, state="cancelled" if unsigned else "stopped", why=why)
            elif step == "finish":
                await _set(conn, group, state="finished", finished=now)
            if step != "wait":
                moved.append(group["group_id"])
    if moved:
        await db.announce("command", *moved)
    return len(moved)


async def _release(conn: Connection, group: Row, *, now: datetime) -> None:
    wave = group["wave"] + 1
    rows = await (await conn.execute(SQL["wave"], {"group_id": group["group_id"], "wave": wave})).fetchall()
    given = {**_ids([row["object_id"] for row in rows]), "limit": DEVICES_MAX}
    found = targets(await (await conn.execute(SQL["chosen"], given)).fetchall()) if rows else []
    by_point = {(target.object_id, target.row["device_id"]): target for target in found}
    for row in rows:
        target = by_point.get((row["object_id"], row["device_id"]))
        spec = target.spec(row["action"]) if target else None
        if target is None or spec is None:
            why = "the device has left this place"
            await command_rows.set_state(conn, row, "cancelled", actor=ACTOR, now=now, detail=why)
            continue
        row = {**row, "deadline": now + target.lifetime(spec)}
        row = await command_rows.set_state(conn, row, "queued", actor=ACTOR, now=now)
        await command_rows.send(conn, row, target, spec=spec, now=now)
    await _set(conn, group, wave=wave, next_at=now + timedelta(seconds=group["pause_s"]))
