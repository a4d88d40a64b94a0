"""Commands in the read models: what was ordered, what could be."""

import re
import uuid
from datetime import datetime
from typing import Any, cast

from citynet.access import Actor, allowed, require
from citynet.db import Row
from situation_center import command_rows
from situation_center.commands import GROUP_FREE
from situation_center.store import Center
from situation_center.targets import Target, targets
from situation_center.views.base import SQL, scope
from situation_center.views.rows import ArgumentRow, CommandRow, PossibleCommand

WAITING = re.compile(r"(.+): not before (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)")
LIMIT = 50
LISTED = 200
# Parameters of the query `commands` that leave nothing out but what is not named.
EVERY: Row = {
    "all": False,
    "incident_id": None,
    "objects": [],
    "command_id": None,
    "states": [],
    "group_id": None,
    "text": "",
}


async def ordered(
    db: Center,
    actor: Actor,
    *,
    incident_id: int | None = None,
    objects: list[int] | None = None,
    command_id: uuid.UUID | None = None,
) -> list[CommandRow]:
    """Commands of an incident, of objects, or one alone; empty without the right command.read."""
    if not allowed(actor, "command.read"):
        return []
    given = {"incident_id": incident_id, "objects": objects or [], "command_id": command_id, "limit": LIMIT}
    return await _commands(db, actor, given)


async def commands_list(
    db: Center, actor: Actor, *, states: list[str], group_id: uuid.UUID | None = None, text: str = ""
) -> list[CommandRow]:
    """The newest commands in these states (all where none is named), of a group, with a text in object or person."""
    require(actor, "command.read")
    given = {"all": True, "states": states, "group_id": group_id, "text": text[:100].lower(), "limit": LISTED}
    return await _commands(db, actor, given)


async def _commands(db: Center, actor: Actor, given: Row) -> list[CommandRow]:
    rows = await db.rows(SQL["commands"], EVERY | given | scope(actor))
    return [cast(CommandRow, ordered_row(row) | _airtime(row)) for row in rows]


def ordered_row(row: Row) -> Row:
    """A row with the words that its profile has for its action."""
    specs = row.pop("specs") or []
    spec: dict[str, Any] = next((s for s in specs if s["name"] == row["action"]), {})
    titles = {"title_ru": spec.get("title_ru", row["action"]), "title_en": spec.get("title_en", row["action"])}
    return {**row, **titles}


def _airtime(row: Row) -> Row:
    """Which radio gateway a command waits for, and until when at least, from the receipt `waiting`."""
    found = WAITING.match(row.pop("waiting") or "")
    return {"airtime_of": found and found[1], "airtime_from": found and datetime.fromisoformat(found[2])}


async def possible(db: Center, actor: Actor, objects: list[int]) -> list[PossibleCommand]:
    """Command buttons of objects: their own devices', else one for all their children together."""
    found = targets(await db.rows(command_rows.SQL["devices"], {"ids": objects}))
    names = {row["object_id"]: row for row in await db.rows(SQL["names"], {"ids": objects})}
    buttons: list[PossibleCommand] = []
    for object_id in objects:
        own = [target for target in found if target.object_id == object_id]
        children = [target for target in found if target.row["parent_id"] == object_id]
        if object_id in names and allowed(actor, "command.request", names[object_id]):
            buttons += _buttons(names[object_id], own or children)
    return buttons


def _buttons(place: Row, found: list[Target]) -> list[PossibleCommand]:
    specs = {spec.name: spec for target in found for spec in target.profile.command}
    able = {name: sum(target.spec(name) is not None for target in found) for name in specs}
    return [
        PossibleCommand(
            object_id=place["object_id"],
            object_ru=place["name_ru"],
            object_en=place["name_en"],
            action=name,
            title_ru=spec.title_ru,
            title_en=spec.title_en,
            dangerous=spec.dangerous or able[name] > GROUP_FREE,
            targets=able[name],
            args=[cast(ArgumentRow, argument.model_dump()) for argument in spec.arg],
        )
        for name, spec in specs.items()
    ]
