"""Commands for devices that fetch them: asked of the gateway, waited for, handed over; the gateway is told which were.

Used by app.py."""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
import structlog
from fastapi import Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from citynet.bus import Incoming
from citynet.errors import Unavailable
from citynet.part import Part
from gateway.fetch import ASK, CALL, TOLD, Ask, Given, Handed
from gateway.wire import device_id

log = structlog.get_logger()
ANSWER_S, LOOK_S = 5.0, 1.0
# The gateway calls when something comes; it is asked anew now and then, should a call have been lost.
ASK_AGAIN_S = 10.0


class Named(msgspec.Struct):
    """A command as the device gets it, as far as we must know it."""

    command_id: UUID


class Commands:
    """What waits for devices, as the gateway says; wakers: requests that wait, by device."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.wakers: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def called(self, message: Incoming) -> None:
        """Something has come for a device."""
        for waker in self.wakers.get(device_id(message.subject.removeprefix(CALL)), ()):
            waker.set()

    async def fetch(self, request: Request, device: str) -> list[msgspec.Raw]:
        """What waits now. Raises Unavailable."""
        if await request.is_disconnected():
            return []  # it would be lost
        body = await self.part.bus.request(ASK, msgspec.json.encode(Ask(device)), timeout_s=ANSWER_S)
        found = msgspec.json.decode(body, type=Given).commands
        if found and await request.is_disconnected():
            await self._tell(device, found, left=False)
            return []
        return found

    async def wait(self, request: Request, device: str, *, wait_s: float) -> list[msgspec.Raw]:
        """What waits, or what comes within so many wall seconds. Raises Unavailable when nobody can be asked."""
        until, waker = time.monotonic() + wait_s, asyncio.Event()
        self.wakers[device].add(waker)
        try:
            while True:
                waker.clear()
                try:
                    found = await self.fetch(request, device)
                except Unavailable:  # the gateway is being started anew
                    if time.monotonic() >= until or self.part.stopping.is_set():
                        raise
                    await self.part.pause(LOOK_S)
                    continue
                if found or not await self._woken(request, waker, until):
                    return found
        finally:
            self.wakers[device].discard(waker)
            if not self.wakers[device]:
                del self.wakers[device]

    async def _woken(self, request: Request, waker: asyncio.Event, until: float) -> bool:
        """Wait for a call; False when there is nobody left to wait for."""
        again = time.monotonic() + ASK_AGAIN_S
        while not waker.is_set():
            now = time.monotonic()
            if now >= until or self.part.stopping.is_set() or await request.is_disconnected():
                return False
            if now >= again:
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(waker.wait(), min(again - now, until - now, LOOK_S))
        return True

    def answer(self, device: str, found: list[msgspec.Raw], *, body: dict[str, Any], status: int) -> Response:
        """The answer with the commands; once it is written they count as handed over."""
        task = BackgroundTask(self._tell, device, found, left=True) if found else None
        content = msgspec.json.encode({**body, "commands": found})
        return Response(content, status_code=status, media_type="application/json", background=task)

    async def _tell(self, device: str, found: list[msgspec.Raw], *, left: bool) -> None:
        ids = [msgspec.json.decode(one, type=Named).command_id for one in found]
        try:
            handed = msgspec.json.encode(Handed(device, ids, left))
            await self.part.bus.request(TOLD, handed, timeout_s=ANSWER_S)
            self.part.counters["commands_handed" if left else "commands_kept"] += len(ids)
        except Unavailable as error:  # then nobody knows, and the gateway says so
            log.warning("could not tell what became of commands", device=device, error=str(error))
