"""`citynet run identity`: answers the broker's sign-ins, ends sessions of ended credentials, tells what it refused."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import nats.errors
import structlog
from nats.aio.subscription import Subscription

from citynet.broker_config import CONNECTED, DISCONNECTED, SIGN_IN, SIGN_IN_S, issuer
from citynet.bus import connected
from citynet.credentials import Known
from citynet.part import Part, together
from gateway.identity import violations
from gateway.identity.answering import SignIn
from gateway.identity.keeper import Keeper
from gateway.identity.notices import Notices
from gateway.identity.sessions import Sessions
from gateway.identity.tickets import Issuer

log = structlog.get_logger()
QUEUE = "identity"
ANSWERERS = 2


async def run(part: Part) -> None:
    """Work until the part stops; every process takes its share of the sign-ins. Raises Unavailable."""
    known, notices = Known(part.db), Notices(part)
    async with connected(part.settings, "auth") as auth, connected(part.settings, "sys") as system:
        sign_in = SignIn(part, known, Issuer(issuer(part.settings)), notices)
        keeper = Keeper(part, known, Sessions(system), notices)
        await system.subscribe(CONNECTED, keeper.connection, queue=QUEUE)
        await system.subscribe(DISCONNECTED, keeper.disconnection, queue=QUEUE)
        changes = await part.bus.subscribe("changes.*.>", keeper.changed)
        asked = await auth.client.subscribe(SIGN_IN, queue=QUEUE, cb=sign_in.take)
        await auth.client.flush()  # active means that the broker asks here
        work = [*(sign_in.run() for _ in range(ANSWERERS)), keeper.run(), notices.run()]
        work.append(violations.follow(part.settings.home / "logs" / "nats.log", notices.note))
        part.active = True
        log.info("answering sign-ins", pid=os.getpid())
        try:
            await _until_stopped(part, together(work), leave=lambda: _leave(asked, sign_in))
        finally:
            part.active = False
            await changes()


async def _leave(asked: Subscription, sign_in: SignIn) -> None:
    """Let the broker ask the other service from now on, and answer what it has asked already."""
    with suppress(TimeoutError, nats.errors.Error):
        async with asyncio.timeout(SIGN_IN_S):
            await asked.drain()  # type: ignore[no-untyped-call]
            await sign_in.waiting.join()


async def _until_stopped(part: Part, work: Coroutine[Any, Any, None], *, leave: Callable[[], Awaitable[None]]) -> None:
    tasks = [asyncio.create_task(work), asyncio.create_task(part.stopping.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            await leave()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()
