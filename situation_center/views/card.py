"""The card of one incident: why, what was done, what can be done."""

import uuid
from typing import Any, cast

import msgspec

from citynet.access import Actor, allowed, require
from citynet.db import Row
from citynet.errors import NotFound
from situation_center.incident_states import UNDO_S, possible
from situation_center.store import Center
from situation_center.views import orders, series
from situation_center.views.base import SQL
from situation_center.views.queue import SHOWN, find
from situation_center.views.rows import Card, CommandRow, ConditionRow, LogRow, QueueRow, SeriesRow

CONDITIONS_MAX = 200
LOG_MAX = 200
PLOTS_MAX = 3
COMMANDABLE_MAX = 12
RELATED_MAX = 10


async def card(db: Center, actor: Actor, incident_id: int) -> Card:
    """Raises NotFound when there is none or the actor may not know of it. Needs incident.read."""
    found = await find(db, actor, id=incident_id)
    text = await db.row(SQL["incident_text"], [incident_id])
    if not found or text is None:
        raise NotFound(f"no incident {incident_id}")
    incident = found[0]
    conditions = await _conditions(db, incident_id)
    undo = {"id": incident_id, "actor": actor.name, "undo_s": UNDO_S}
    return Card(
        incident=incident,
        why_ru=text["why_ru"],
        why_en=text["why_en"],
        action_ru=text["action_ru"],
        action_en=text["action_en"],
        conditions=conditions,
        log=await _log(db, incident_id),
        commands=await orders.ordered(db, actor, incident_id=incident_id),
        possible=await orders.possible(db, actor, await _commandable(db, incident)),
        plot=await _plot(db, actor, incident, conditions=conditions),
        related=await _related(db, actor, incident),
        allowed=_allowed(actor, incident),
        undo=await db.row(SQL["undoable"], undo) is not None,
    )


def _allowed(actor: Actor, incident: QueueRow) -> list[str]:
    about = {"service": incident["service"]}
    return [action for action in possible(incident["state"]) if allowed(actor, f"incident.{action}", about)]


async def _conditions(db: Center, incident_id: int) -> list[ConditionRow]:
    rows = await db.rows(SQL["conditions"], {"id": incident_id, "limit": CONDITIONS_MAX})
    return [_condition(row) for row in rows]


def _condition(row: Row) -> ConditionRow:
    ru, en = _merged_by(row.pop("merged_by"))
    return cast(ConditionRow, {**row, "merged_by_ru": ru, "merged_by_en": en})


def _merged_by(kept: str) -> tuple[str, str]:
    """What intake.py wrote as JSON in both languages, or the name of the person who merged."""
    if not kept.startswith("{"):
        return kept, kept
    said = msgspec.json.decode(kept, type=dict[str, str])
    return said["ru"], said["en"]


async def _log(db: Center, incident_id: int) -> list[LogRow]:
    return [_log_row(row) for row in await db.rows(SQL["log"], {"id": incident_id, "limit": LOG_MAX})]


def _log_row(row: Row) -> LogRow:
    detail: dict[str, Any] = row["detail"]
    names = ("log_id", "at", "actor", "action")
    given = {name: row[name] for name in names}
    texts = {"text_ru": detail.get("ru", row["text"]), "text_en": detail.get("en", row["text"])}
    return cast(LogRow, given | texts)


async def _commandable(db: Center, incident: QueueRow) -> list[int]:
    """The object first, then what shares its parent: the valves of the district that leaks."""
    place = await db.row(SQL["object"], [incident["object_id"]])
    if place is None:
        return []
    given = {"object_id": place["object_id"], "parent_id": place["parent_id"], "class": place["class_"]}
    near = [row["object_id"] for row in await db.rows(SQL["near_devices"], given)]
    return sorted(near, key=lambda i: (i != place["object_id"], i))[: COMMANDABLE_MAX * 5]


async def _plot(db: Center, actor: Actor, incident: QueueRow, *, conditions: list[ConditionRow]) -> list[SeriesRow]:
    """Series to plot: those that raised the conditions, with their bands, then the object's own."""
    if not allowed(actor, "reading.read", {"service": incident["service"]}):
        return []
    bands = {c["series_id"]: c for c in reversed(conditions) if c["series_id"] is not None}
    rows = await db.rows(SQL["series"], {"objects": [incident["object_id"]], "series": list(bands)})
    rows.sort(key=lambda r: (r["series_id"] not in bands, r["object_id"] != incident["object_id"], r["series_id"]))
    plots = []
    for row in rows[:PLOTS_MAX]:
        band = bands.get(row["series_id"])
        plots.append(series.series_row(row, low=band and band["low"], high=band and band["high"]))
    return plots


async def _related(db: Center, actor: Actor, incident: QueueRow) -> list[QueueRow]:
    """Other open incidents of the same object, then of the same service."""
    same = await find(db, actor, object_id=incident["object_id"], states=SHOWN, limit=RELATED_MAX)
    near = await find(db, actor, service=incident["service"], states=SHOWN, limit=RELATED_MAX)
    rows = {row["incident_id"]: row for row in [*same, *near] if row["incident_id"] != incident["incident_id"]}
    return list(rows.values())[:RELATED_MAX]


async def command_row(db: Center, actor: Actor, command_id: str) -> CommandRow:
    """One command. Raises NotFound. Needs command.read."""
    require(actor, "command.read")
    try:
        found = await orders.ordered(db, actor, command_id=uuid.UUID(command_id))
    except ValueError:
        found = []
    if not found:
        raise NotFound(f"no command {command_id[:40]}")
    return found[0]
