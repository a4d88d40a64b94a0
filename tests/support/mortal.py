"""Parts that die at an exact step: every word with broker and database goes through their fate."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from citynet.bus import Consumer, Frame

T = TypeVar("T")


class Dead(BaseException):
    """What SIGKILL looks like from inside: nothing after it happens. Nobody catches it by accident."""


@dataclass
class Fate:
    """Dies at the nth operation whose name begins with `at`, before or after it is done. Empty: never."""

    at: str = ""
    after: bool = False
    number: int = 1
    dead: bool = False

    def strike(self, name: str, *, after: bool) -> None:
        """Die here if this is the moment, or if it was."""
        if self.dead:
            raise Dead
        if self.at and after == self.after and name.startswith(self.at):
            self.number -= 1
            if self.number == 0:
                self.dead = True
                raise Dead

    async def around(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do an operation unless death comes first."""
        self.strike(name, after=False)
        result = await work()
        self.strike(name, after=True)
        return result


class MortalPuller:
    """A puller whose part may die."""

    def __init__(self, real: Any, name: str, fate: Fate) -> None:
        self._real, self._name, self._fate = real, name, fate

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        self._fate.strike("", after=False)
        frames: list[Frame] = await self._real.fetch(batch, wait_s)
        if frames:
            self._fate.strike(f"fetch {self._name}", after=True)
        return frames

    async def ack(self, frames: list[Frame]) -> None:
        await self._fate.around(f"ack {self._name}", lambda: self._real.ack(frames))

    async def in_progress(self, frames: list[Frame]) -> None:
        await self._fate.around("in progress", lambda: self._real.in_progress(frames))

    async def pending(self) -> int:
        return int(await self._real.pending())


class MortalBus:
    """A bus whose part may die."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real, self._fate = real, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def publish(self, subject: str, data: bytes, **more: Any) -> None:
        await self._fate.around(f"publish {subject}", lambda: self._real.publish(subject, data, **more))

    async def puller(self, consumer: Consumer) -> MortalPuller:
        return MortalPuller(await self._real.puller(consumer), consumer.durable, self._fate)


class MortalDatabase:
    """A database, or a Center, whose part may die."""

    def __init__(self, real: Any, fate: Fate, bus: MortalBus | None = None) -> None:
        self._real, self._fate = real, fate
        if bus is not None:
            self.bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @asynccontextmanager
    async def transaction(self, *about: Any, **more: Any) -> AsyncIterator[Any]:
        self._fate.strike("", after=False)
        async with self._real.transaction(*about, **more) as conn:
            yield conn
            self._fate.strike("commit", after=False)
        self._fate.strike("commit", after=True)
