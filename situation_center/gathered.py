"""Answers that cost, asked in the background while somebody wants them, so that nobody waits for them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from citynet.db import AWAY
from citynet.errors import Unavailable

log = structlog.get_logger()
T = TypeVar("T")
EACH_S = 10.0
STALE_S = 30.0  # older than that the asker waits, and hears what is wrong
IDLE_S = 180.0  # Prometheus asks every minute or sooner: after three nobody does any more


class Gathered(Generic[T]):
    """The last answer. The first asker waits for it; the next ones get what lies ready."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._last: tuple[float, T] | None = None
        self._wanted = 0.0
        self._one = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def last(self) -> T:
        """Raises what asking raises, where no answer is young enough."""
        self._wanted = asyncio.get_running_loop().time()
        found = self._young()
        if found is None:
            async with self._one:  # many who wait ask once
                found = self._young() or await self._gather()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        return found[1]

    async def close(self) -> None:
        """Ask no more."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    def _young(self) -> tuple[float, T] | None:
        if self._last and asyncio.get_running_loop().time() - self._last[0] <= STALE_S:
            return self._last
        return None

    async def _gather(self) -> tuple[float, T]:
        answer = await self._ask()
        self._last = asyncio.get_running_loop().time(), answer
        return self._last

    async def _keep(self) -> None:
        while asyncio.get_running_loop().time() - self._wanted <= IDLE_S:
            await asyncio.sleep(EACH_S)
            try:
                await self._gather()
            except (*AWAY, Unavailable) as error:
                log.warning("figures_not_gathered", error=str(error).partition("\n")[0])
