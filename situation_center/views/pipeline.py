"""The pipeline page: what each part does per second, what lies in quarantine."""

from citynet.access import Actor
from situation_center.live import Hub
from situation_center.store import Center
from situation_center.views.rows import Pipeline


async def pipeline(db: Center, actor: Actor, hub: Hub) -> Pipeline:
    """Needs pipeline.read; the quarantine rows also need quarantine.read."""
    raise NotImplementedError
