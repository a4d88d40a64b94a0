"""Incidents as people work on them: each function asks access, checks the version, writes row, log and audit at once.

version is the row version the person saw: Conflict when somebody was faster. All return the new version.
"""

from citynet.access import Actor
from situation_center.store import Center


async def acknowledge(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """new -> acknowledged; the actor becomes the owner where there is none."""
    raise NotImplementedError


async def take(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """The actor becomes the owner; a new incident is acknowledged by it."""
    raise NotImplementedError


async def undo(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """Take back the actor's own acknowledge or take of the last 10 s (wall) when nothing happened since."""
    raise NotImplementedError


async def assign(db: Center, actor: Actor, incident_id: int, *, version: int, owner_id: int) -> int:
    """Give the incident to another account that may see it."""
    raise NotImplementedError


async def dispatch(db: Center, actor: Actor, incident_id: int, *, version: int, org_id: int) -> int:
    """acknowledged -> dispatched to an organisation."""
    raise NotImplementedError


async def start(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """-> in_progress."""
    raise NotImplementedError


async def comment(db: Center, actor: Actor, incident_id: int, *, version: int, text: str) -> int:
    """A line in the log."""
    raise NotImplementedError


async def resolve(db: Center, actor: Actor, incident_id: int, *, version: int, evidence: str) -> int:
    """-> resolved, with what shows it."""
    raise NotImplementedError


async def verify(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """resolved -> verified by a senior operator."""
    raise NotImplementedError


async def close(db: Center, actor: Actor, incident_id: int, *, version: int) -> int:
    """verified -> closed."""
    raise NotImplementedError


async def reopen(db: Center, actor: Actor, incident_id: int, *, version: int, reason: str) -> int:
    """resolved, verified, closed or false_alarm -> acknowledged."""
    raise NotImplementedError


async def false_alarm(db: Center, actor: Actor, incident_id: int, *, version: int, reason: str) -> int:
    """-> false_alarm, with a reason."""
    raise NotImplementedError


async def merge(db: Center, actor: Actor, incident_id: int, *, version: int, into: int) -> int:
    """Move all conditions of incident_id to the open incident `into`."""
    raise NotImplementedError


async def set_priority(
    db: Center, actor: Actor, incident_id: int, *, version: int, priority: int, reason: str = ""
) -> int:
    """1..4; raising is free, lowering needs a reason."""
    raise NotImplementedError
