"""The queue of incidents: what is open and whose turn it is."""

from typing import Any, cast

from citynet.access import Actor, allowed, require
from situation_center.incident_states import OPEN
from situation_center.incidents import visible
from situation_center.store import Center
from situation_center.views.base import SQL, scope
from situation_center.views.rows import AccountRow, FoundObject, QueueRow

LIMIT_MAX = 2_000
SHOWN = sorted({*OPEN, "resolved", "verified"})
FINISHED = ["closed", "false_alarm", "merged"]


async def queue(
    db: Center, actor: Actor, *, service: str | None = None, text: str = "", closed: bool = False, limit: int = 500
) -> list[QueueRow]:
    """Open incidents (or the newest finished ones), worst first, then by deadline. Needs incident.read."""
    return await find(db, actor, service=service, text=text, states=FINISHED if closed else SHOWN, limit=limit)


async def find(db: Center, actor: Actor, **given: Any) -> list[QueueRow]:
    """Incidents by service, states, id, object_id, text; all the actor may know of. Needs incident.read."""
    require(actor, "incident.read")
    text = str(given.get("text", "")).replace("\0", "").strip().lower()[:200]
    names = ("service", "states", "id", "object_id")
    limit = min(max(int(given.get("limit", 500)), 1), LIMIT_MAX)
    parameters = {**scope(actor), **{name: given.get(name) for name in names}, "text": text, "limit": limit}
    return cast(list[QueueRow], await db.rows(SQL["queue"], parameters))


async def assignees(db: Center, actor: Actor, incident_id: int) -> list[AccountRow]:
    """People who may work on an incident. Raises NotFound. Needs incident.assign."""
    row = await visible(db, actor, incident_id)
    require(actor, "incident.assign", row)
    people = await db.rows(SQL["accounts"])
    return [
        AccountRow(account_id=p["account_id"], login=p["login"], title=p["title"], role=p["role"])
        for p in people
        if allowed(_as_actor(p), "incident.start", row)
    ]


def _as_actor(row: dict[str, Any]) -> Actor:
    services, zones = frozenset(row["services"]), frozenset(row["zone_ids"])
    return Actor(row["account_id"], row["login"], row["role"], services=services, zone_ids=zones)


async def organisations(db: Center, actor: Actor) -> list[FoundObject]:
    """Whom work can be given to. Needs registry.read."""
    require(actor, "registry.read")
    return cast(list[FoundObject], await db.rows(SQL["organisations"]))
