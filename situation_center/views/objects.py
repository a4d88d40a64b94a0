"""Objects of the city: the card of one, its series, search."""

from datetime import datetime

from citynet.access import Actor
from situation_center.store import Center
from situation_center.views.rows import FoundObject, ObjectCard, Points


async def object_card(db: Center, actor: Actor, object_id: int) -> ObjectCard:
    """Newest values, commands possible, open incidents of an object. Raises NotFound. Needs registry.read."""
    raise NotImplementedError


async def points(
    db: Center, actor: Actor, series_id: int, *, since: datetime, until: datetime, limit: int = 1000
) -> Points:
    """Readings of a series in [since, until); more than limit become means over equal steps. Needs reading.read."""
    raise NotImplementedError


async def search(db: Center, actor: Actor, text: str, *, limit: int = 20) -> list[FoundObject]:
    """Objects whose name or key contains text, any case. Needs registry.read."""
    raise NotImplementedError
