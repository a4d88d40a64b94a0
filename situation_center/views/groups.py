"""Groups of commands and the history of one, as the viewer may know them."""

import uuid
from datetime import datetime
from typing import Any, cast

from typing_extensions import TypedDict

from citynet.access import Actor, allowed, require
from citynet.errors import NotFound
from situation_center.command_states import FINAL
from situation_center.store import Center
from situation_center.views.base import SQL, scope
from situation_center.views.orders import ordered_row
from situation_center.zones import CLASSES

LIMIT = 200


class GroupRow(TypedDict):
    """A group: how far it is. counts = commands by state; wave of waves is released; why it was stopped."""

    group_id: str
    action: str
    title_ru: str
    title_en: str
    args: dict[str, float | str | bool]
    state: str
    wave: int
    waves: int
    pause_s: int
    stop_share: float
    devices: int
    ended: int
    counts: dict[str, int]
    first_command: str
    requested_by: str
    requested: datetime
    finished: datetime | None
    why: str
    undoes: str | None
    undone: bool


class StepRow(TypedDict):
    """One line of the history of a command."""

    at: datetime
    actor: str
    state: str
    detail: str


async def groups(db: Center, actor: Actor, *, group_id: uuid.UUID | None = None) -> list[GroupRow]:
    """Groups with a command that the viewer may know, newest first."""
    if not allowed(actor, "command.read"):
        return []
    rows = await db.rows(SQL["groups"], {"group_id": group_id, "limit": LIMIT} | scope(actor))
    return [_group(row) for row in rows]


def _group(row: dict[str, Any]) -> GroupRow:
    row = ordered_row(row)
    counts = row["counts"] or {}
    ended = sum(count for state, count in counts.items() if state in FINAL)
    return cast(GroupRow, {**row, "counts": counts, "devices": sum(counts.values()), "ended": ended})


async def group(db: Center, actor: Actor, group_id: uuid.UUID) -> GroupRow:
    """One group. Raises NotFound."""
    found = await groups(db, actor, group_id=group_id)
    if not found:
        raise NotFound(f"no group {group_id}")
    return found[0]


async def steps(db: Center, actor: Actor, command_id: uuid.UUID) -> list[StepRow]:
    """The history of a command: states and receipts as they came. Raises NotFound."""
    require(actor, "command.read")
    rows = await db.rows(SQL["command_steps"], {"command_id": command_id} | scope(actor))
    if not rows:
        raise NotFound(f"no command {command_id}")
    return [cast(StepRow, row) for row in rows]


async def zones(db: Center, actor: Actor) -> list[dict[str, Any]]:
    """Zones by name: object_id, name_ru, name_en."""
    require(actor, "registry.read")
    return await db.rows(SQL["zone_names"], {"classes": list(CLASSES)} | scope(actor))
