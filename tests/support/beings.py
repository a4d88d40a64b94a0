"""A part of the city inside the test: it lives, dies and is started again as its shell would do it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from citynet.errors import Unavailable
from citynet.part import Part, close_part
from citynet.settings import Settings
from tests.conftest import make_part
from tests.support.mortal import Dead, Fate, MortalBus, MortalDatabase

Body = Callable[[Part], Awaitable[None]]


@dataclass
class Being:
    """A part, its body and its fate."""

    settings: Settings
    name: str
    body: Body
    fate: Fate | None = None
    part: Part | None = None
    task: asyncio.Task[None] | None = None
    deaths: int = 0

    async def start(self, fate: Fate | None = None) -> None:
        self.fate = fate or Fate()
        self.part = await make_part(self.settings, self.name, role=self.name)
        self.part.bus = MortalBus(self.part.bus, self.fate)  # type: ignore[assignment]
        self.part.db = MortalDatabase(self.part.db, self.fate)  # type: ignore[assignment]
        self.task = asyncio.create_task(self._run(self.part))

    async def _run(self, part: Part) -> None:
        await self.body(part)

    async def stop(self) -> None:
        """End at once, in whatever it is doing."""
        if self.task is None or self.part is None:
            return
        assert self.fate
        self.fate.dead = True
        self.task.cancel()
        await asyncio.wait([self.task])
        await close_part(self.part)
        self.task = self.part = None

    async def revive(self) -> None:
        """Start again when it has died or was interrupted. Any other end is a failure of the test."""
        if self.task is None or not self.task.done():
            return
        error = self.task.exception()
        if not isinstance(error, Dead | Unavailable | psycopg.OperationalError | OSError):
            raise AssertionError(f"{self.name} ended") from error
        self.deaths += 1
        await self.stop()
        await self.start()
