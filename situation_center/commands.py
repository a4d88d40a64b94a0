"""Commands as people order them: right, limits, second signature, then row, log, audit and outbox at once."""

import uuid
from collections.abc import Mapping

from citynet.access import Actor
from situation_center.store import Center

Args = Mapping[str, float | str | bool]


async def request(
    db: Center,
    actor: Actor,
    object_id: int,
    *,
    action: str,
    args: Args,
    idempotency_key: str,
    incident_id: int | None = None,
    confirmed: bool = False,
) -> list[uuid.UUID]:
    """Order an action on an object; ids of the commands, one for each device.

    A dangerous command of an operator waits for approve(). A senior operator or administrator gives confirmed=True
    (the typed confirmation on the screen) instead. The same idempotency_key gives the same ids and sends nothing again.
    Raises Forbidden, BadInput (argument outside its limits, nothing to command), NotFound, Conflict.
    """
    raise NotImplementedError


async def approve(db: Center, actor: Actor, command_id: uuid.UUID) -> None:
    """The second signature, by another person with command.approve. Raises Conflict when it no longer waits."""
    raise NotImplementedError


async def cancel(db: Center, actor: Actor, command_id: uuid.UUID) -> None:
    """Cancel what has not been sent. Raises Conflict when it has left."""
    raise NotImplementedError
