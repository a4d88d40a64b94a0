"""Pictures of cameras kept for some seconds: ten people who look at a camera at once ask it once. Decision 0046."""

import asyncio
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog

from citynet.settings import Settings, networks
from situation_center.cameras import Limits, NoPicture, Picture, Request, ask

log = structlog.get_logger()
KEEP_S = 5.0
AT_ONCE = 8
WAITING_MAX = 64
KEPT_BYTES_MAX = 64_000_000
Outcome = Picture | NoPicture


@dataclass
class Album:
    """Of one web process. A refusal is kept like a picture, so that a dead camera costs its timeout once."""

    settings: Settings
    keep_s: float = KEEP_S
    _kept: OrderedDict[Request, tuple[float, Outcome]] = field(default_factory=OrderedDict)
    _asking: dict[Request, asyncio.Task[Outcome]] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _limits: list[Limits] = field(default_factory=list)

    async def picture(self, request: Request) -> Picture:
        """The picture as it is now or was some seconds ago. Raises NoPicture."""
        self._forget()
        if request in self._kept:
            return _told(self._kept[request][1])
        if request not in self._asking:
            if len(self._asking) >= WAITING_MAX:
                raise NoPicture("busy", "too many cameras are being asked: try again")
            self._asking[request] = asyncio.create_task(self._ask(request))
        return _told(await asyncio.shield(self._asking[request]))  # whoever goes away leaves it to the others

    async def _ask(self, request: Request) -> Outcome:
        try:
            async with self._turns:
                outcome: Outcome = await ask(request, await self._within())
        except NoPicture as error:
            outcome = error
            log.info("a camera gave no picture", host=urlsplit(request.url).hostname, reason=error.reason)
        finally:
            del self._asking[request]
        self._kept[request] = (time.monotonic(), outcome)
        return outcome

    async def _within(self) -> Limits:
        """Reading the authorities takes 20 ms: once."""
        if not self._limits:
            given = self.settings
            trust = await asyncio.to_thread(ssl.create_default_context, cafile=given.camera_ca or None)
            inside = networks(given.camera_networks)
            self._limits.append(Limits(given.camera_timeout_s, given.camera_bytes, inside, trust))
        return self._limits[0]

    def _forget(self) -> None:
        """What is too old, then the oldest while there is too much."""
        before = time.monotonic() - self.keep_s
        sizes = [len(p.data) if isinstance(p, Picture) else 0 for _, p in self._kept.values()]
        total = sum(sizes)
        for size in sizes:
            if next(iter(self._kept.values()))[0] > before and total <= KEPT_BYTES_MAX:
                break
            self._kept.popitem(last=False)
            total -= size

    async def close(self) -> None:
        """End what is still being asked."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)


def _told(outcome: Outcome) -> Picture:
    if isinstance(outcome, NoPicture):
        raise outcome
    return outcome
