"""What the tests of the situation centre share: a centre on the test's database, a small city, people."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from citynet.bus import connect
from citynet.db import dsn
from citynet.settings import Settings
from situation_center.store import Center


class NobodyListens:
    """A bus for tests that look at the database only: what is pushed is kept."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, bytes]] = []

    async def push(self, subject: str, data: bytes) -> None:
        self.pushed.append((subject, data))


@asynccontextmanager
async def quiet_center(settings: Settings) -> AsyncIterator[Center]:
    center = Center(dsn(settings, "center"), NobodyListens(), settings)  # type: ignore[arg-type]
    await center.open()
    yield center
    await center.close()


@asynccontextmanager
async def live_center(settings: Settings) -> AsyncIterator[Center]:
    bus = await connect(settings, "center")
    center = Center(dsn(settings, "center"), bus, settings)
    await center.open()
    yield center
    await center.close()
    await bus.close()
