"""The states of a command, from what was observed of it. Pure: the shown state is never better than reality.

requested -> (approved ->) queued -> sent -> acknowledged -> confirmed; rejected, failed, expired, superseded, cancelled
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

FINAL = frozenset({"confirmed", "rejected", "failed", "expired", "superseded", "cancelled", "unknown_final"})
WAITING = frozenset({"requested", "approved"})
ON_THE_WAY = frozenset({"queued", "sent", "acknowledged"})
# Receipts that prove that the command has left the city's own machines.
LEFT = frozenset({"queued", "sent", "radiated", "acknowledged"})
REACHED = frozenset({"radiated", "acknowledged"})
UNKNOWN_FOR = timedelta(hours=24)


def fold(state: str, receipts: Sequence[str]) -> str:
    """The state after all receipts known of a command, oldest first; folding the same ones again changes nothing."""
    seen: set[str] = set()
    reached = bool(set(receipts) & REACHED)
    for kind in receipts:
        seen.add(kind)
        state = _step(state, kind, seen, reached=reached)
    return state


def _step(state: str, kind: str, seen: set[str], *, reached: bool) -> str:
    if state in FINAL:
        return state
    if "readback" in seen and seen & LEFT:
        return "confirmed"  # telemetry shows the effect, and the command did leave: nothing else confirms
    if kind in {"rejected", "failed"}:
        return kind
    if kind == "withdrawn":
        return "cancelled"  # the gateway says so, and only of what it has not begun to send
    if kind == "expired":
        return "unknown" if reached else "expired"  # it may be stored before what proves that it was radiated
    if "acknowledged" in seen:
        return "acknowledged"  # an answer stays an answer, whatever is not heard of a second attempt
    if kind == "unknown":
        return "unknown"
    return "sent" if kind in {"sent", "radiated"} else state


def dropped(receipts: Sequence[str]) -> bool:
    """Whether a network server says that it has dropped what it was given, and nothing says that it was radiated."""
    seen = set(receipts)
    return "expired" in seen and bool(seen & LEFT) and not seen & REACHED


def at(state: str, *, now: datetime, deadline: datetime, left: bool) -> str:
    """The state at a city time. left = the message may have gone out: then a passed deadline leaves it unknown."""
    if state in FINAL or now <= deadline:
        return state
    if not left:
        return "expired"
    return "unknown_final" if now > deadline + UNKNOWN_FOR else "unknown"
