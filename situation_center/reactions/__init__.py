"""Reactions to changes of incidents: one file each, run by the worker. A reaction never delays another."""

import asyncio
from typing import Protocol

from citynet.db import Connection
from citynet.plugins import Family
from situation_center.incident_rows import Notice
from situation_center.store import Center


class Reaction(Protocol):
    """One way to tell the world outside. What is owed is stored first, then tried until it is done or given up."""

    async def enqueue(self, conn: Connection, notice: Notice) -> int:
        """Store what this notice causes, in the transaction that takes the notice; the number of deliveries."""

    async def run(self, center: Center, stopping: asyncio.Event) -> None:
        """Deliver what is due, again and again, until stopping is set."""


FAMILY: Family[Reaction] = Family("reaction")


def reactions() -> dict[str, Reaction]:
    """All reactions by name."""
    return FAMILY.load("situation_center.reactions")
