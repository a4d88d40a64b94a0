"""The top strip of the main screen."""

from citynet.access import Actor
from situation_center.store import Center
from situation_center.views.rows import Strip


async def strip(db: Center, actor: Actor) -> Strip:
    """Counts, oldest un-acknowledged, alarm rate, lag, silent share, clock. Needs screen.open."""
    raise NotImplementedError
