"""The work states of an incident, its priority and deadlines. Pure: decides, writes nothing (incident_rows.py does)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from citynet.errors import BadInput, Conflict

OPEN = frozenset({"new", "acknowledged", "dispatched", "in_progress", "restored"})
FINISHED = frozenset({"closed", "merged", "false_alarm"})
WORKING = frozenset({"acknowledged", "dispatched", "in_progress"})
TEXT_CHARS_MAX = 4_000
UNDO_S = 10
# The offer is seen for UNDO_S from its arrival: a press in its last second is still good, however slow the way is.
UNDO_TAKEN_S = 2 * UNDO_S


@dataclass(frozen=True)
class Move:
    """A work action: from which states, to which one (None = the state stays)."""

    before: frozenset[str]
    after: str | None


MOVES: dict[str, Move] = {
    "acknowledge": Move(frozenset({"new"}), "acknowledged"),
    "take": Move(OPEN, None),
    "assign": Move(OPEN, None),
    "dispatch": Move(WORKING, "dispatched"),
    "start": Move(frozenset({"acknowledged", "dispatched", "restored"}), "in_progress"),
    "comment": Move(OPEN | FINISHED | {"resolved", "verified"}, None),
    "resolve": Move(WORKING | {"restored"}, "resolved"),
    "verify": Move(frozenset({"resolved"}), "verified"),
    "close": Move(frozenset({"verified"}), "closed"),
    "reopen": Move(frozenset({"resolved", "verified", "closed", "false_alarm"}), "acknowledged"),
    "false_alarm": Move(OPEN, "false_alarm"),
    "merge": Move(OPEN, "merged"),
    "priority": Move(OPEN, None),
}

# Priority = severity x time to respond (rows: how soon somebody must act).
MATRIX: dict[str, dict[str, int]] = {
    "minutes": {"critical": 1, "high": 1, "medium": 2, "low": 3},
    "hours": {"critical": 1, "high": 2, "medium": 3, "low": 4},
    "days": {"critical": 2, "high": 3, "medium": 4, "low": 4},
}
RESPONSE = {"fire": "minutes", "nodata": "days"}
# Time from the opening to each step, by priority.
LIMITS: dict[str, dict[int, timedelta]] = {
    "acknowledge": {1: timedelta(minutes=1), 2: timedelta(minutes=5), 3: timedelta(minutes=30), 4: timedelta(hours=8)},
    "dispatch": {1: timedelta(minutes=5), 2: timedelta(minutes=15), 3: timedelta(hours=4), 4: timedelta(days=8)},
    "restore": {1: timedelta(hours=4), 2: timedelta(hours=8), 3: timedelta(days=1), 4: timedelta(days=30)},
}
NEXT = {"new": "acknowledge", "acknowledged": "dispatch", "dispatched": "restore", "in_progress": "restore"}


@dataclass(frozen=True)
class Change:
    """What a transition writes: columns of the incident, a log line in both languages, details for machines."""

    action: str
    columns: dict[str, Any] = field(default_factory=dict)
    text_ru: str = ""
    text_en: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def priority_of(severity: str, signal: str) -> int:
    """Priority 1..4 of a condition by the matrix."""
    return MATRIX[RESPONSE.get(signal, "hours")][severity]


def deadline_of(state: str, priority: int, opened: datetime) -> tuple[datetime | None, str | None]:
    """The next deadline in this state and what it is for; none when nobody owes anything."""
    kind = NEXT.get(state)
    return (opened + LIMITS[kind][priority], kind) if kind else (None, None)


def possible(state: str) -> list[str]:
    """Work actions that this state allows."""
    return [action for action, move in MOVES.items() if state in move.before]


def words(text: str, what: str, *, required: bool = True) -> str:
    """A text that a person wrote, trimmed. Raises BadInput when it is needed and missing, or too long."""
    text = text.replace("\0", "").strip()
    if required and not text:
        raise BadInput("text_missing", f"{what} must be given")
    if len(text) > TEXT_CHARS_MAX:
        raise BadInput("text_too_long", f"{what}: at most {TEXT_CHARS_MAX} characters")
    return text


def move(row: Mapping[str, Any], action: str, *, now: datetime, text: str = "", **columns: Any) -> Change:
    """The change of an action on an incident at city time now. Raises Conflict when the state does not allow it."""
    allowed = MOVES[action]
    if row["state"] not in allowed.before:
        raise Conflict(f"{action} is not possible: the incident is {row['state']}")
    state = allowed.after or row["state"]
    if action == "take" and state == "new":
        state = "acknowledged"
    columns = {**_stamps(row, state, now), **columns, "state": state}
    priority = columns.get("priority", row["priority"])
    columns["deadline"], columns["deadline_kind"] = deadline_of(state, priority, row["opened"])
    return Change(action, columns, text, text)


def _stamps(row: Mapping[str, Any], state: str, now: datetime) -> dict[str, Any]:
    """Times that belong to a state: set when it is reached, taken back when the work goes back."""
    reached = row["acknowledged"] or (now if state != "new" else None)
    return {
        "acknowledged": reached,
        "resolved": (row["resolved"] or now) if state in {"resolved", "verified", "closed"} else None,
        "closed": now if state in {"closed", "false_alarm", "merged"} else None,
    }


def former(row: Mapping[str, Any]) -> dict[str, Any]:
    """What undo() brings back."""
    names = ("state", "owner_id", "acknowledged", "deadline", "deadline_kind")
    return {n: row[n].isoformat() if isinstance(row[n], datetime) else row[n] for n in names}


def changed_priority(row: Mapping[str, Any], priority: int, *, now: datetime, reason: str) -> Change:
    """Raising is free, lowering needs a reason. Raises BadInput."""
    if priority not in (1, 2, 3, 4):
        raise BadInput("bad_priority", "priority is 1, 2, 3 or 4")
    reason = words(reason, "a reason for the lower priority", required=priority > row["priority"])
    text = f"P{row['priority']} → P{priority}. {reason}".rstrip(". ")
    return move(row, "priority", now=now, text=text, priority=priority)


def conditions_changed(row: Mapping[str, Any], *, active: bool, now: datetime) -> Change | None:
    """What it means for the work that the conditions are true (again) or all gone; None = nothing."""
    if active == row["condition_active"]:
        return None
    columns: dict[str, Any] = {"condition_active": active}
    if active:
        words_ru, words_en, action = "Состояние вернулось", "The condition is back", "returned_again"
        if row["state"] in {"restored", "resolved"}:
            columns |= {**_stamps(row, "in_progress", now), "state": "in_progress"}
    else:
        words_ru, words_en, action = "Состояние в норме", "Back to normal", "normal"
        if row["state"] in WORKING:
            columns |= {"state": "restored"}
    state = columns.get("state", row["state"])
    if state in OPEN:
        columns["deadline"], columns["deadline_kind"] = deadline_of(state, row["priority"], row["opened"])
    return Change(action, columns, words_ru, words_en)
