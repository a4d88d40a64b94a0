"""The page of one city service, drawn from the panels of its TOML file."""

from citynet.access import Actor
from situation_center.store import Center
from situation_center.views.rows import ServicePage


async def service_page(db: Center, actor: Actor, name: str) -> ServicePage:
    """Raises NotFound for an unknown service. Needs screen.open on the service."""
    raise NotImplementedError
