"""Objects of the city: the card of one, search."""

from typing import cast

from citynet.access import Actor, allowed, require
from citynet.errors import NotFound
from situation_center.store import Center
from situation_center.views import orders, series
from situation_center.views.base import SQL, scope, state_of
from situation_center.views.queue import SHOWN, find
from situation_center.views.rows import FoundObject, ObjectCard

SEARCH_MAX = 200


async def object_card(db: Center, actor: Actor, object_id: int) -> ObjectCard:
    """Newest values, commands possible, open incidents of an object. Raises NotFound. Needs registry.read."""
    require(actor, "registry.read")
    row = await db.row(SQL["object"], [object_id])
    if row is None or not allowed(actor, "registry.read", row):
        raise NotFound(f"no object {object_id}")
    may_read = allowed(actor, "reading.read", row)
    active = await db.rows(SQL["object_states"], {"ids": [object_id]})
    known = {name: value for name, value in row.items() if name not in {"zone_ids", "org_id"}}
    more = {
        "state": state_of([(c["signal"], c["severity"]) for c in active]),
        "series": await series.newest(db, objects=[object_id]) if may_read else [],
        "possible": await orders.possible(db, actor, [object_id]),
        "commands": await orders.ordered(db, actor, objects=[object_id]),
        "incidents": [],
    }
    if allowed(actor, "incident.read", row):
        more["incidents"] = await find(db, actor, object_id=object_id, states=SHOWN)
    return cast(ObjectCard, known | more)


async def search(db: Center, actor: Actor, text: str, *, limit: int = 20) -> list[FoundObject]:
    """Objects whose name or key contains text, any case. Needs registry.read."""
    require(actor, "registry.read")
    wanted = text.replace("\0", "").strip().lower()[:200]
    if not wanted:
        return []
    given = {**scope(actor), "text": wanted, "limit": min(max(limit, 1), SEARCH_MAX)}
    return cast(list[FoundObject], await db.rows(SQL["search"], given))
