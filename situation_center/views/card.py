"""The card of one incident: why, what was done, what can be done."""

from citynet.access import Actor
from situation_center.store import Center
from situation_center.views.rows import Card, CommandRow


async def card(db: Center, actor: Actor, incident_id: int) -> Card:
    """Raises NotFound when there is none or the actor may not know of it. Needs incident.read."""
    raise NotImplementedError


async def command_row(db: Center, actor: Actor, command_id: str) -> CommandRow:
    """One command. Raises NotFound. Needs command.read."""
    raise NotImplementedError
