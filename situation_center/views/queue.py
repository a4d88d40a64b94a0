"""The queue of incidents: what is open and whose turn it is."""

from citynet.access import Actor
from situation_center.store import Center
from situation_center.views.rows import QueueRow


async def queue(
    db: Center, actor: Actor, *, service: str | None = None, text: str = "", closed: bool = False, limit: int = 500
) -> list[QueueRow]:
    """Open incidents (or the newest finished ones), worst first, then by deadline. Needs incident.read."""
    raise NotImplementedError
