"""A running HTTP push inside a test, and a client of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from citynet import embedded
from citynet.part import Part, close_part
from citynet.settings import Settings
from gateway.protocols.http_push import app
from tests.conftest import make_part
from tests.support.gateway import until


@asynccontextmanager
async def pushing(settings: Settings) -> AsyncIterator[tuple[Part, httpx.AsyncClient]]:
    """The part at work, and a client of it."""
    part = await make_part(settings, "push", role="gateway", user="push")
    work = asyncio.create_task(app.run(part))
    url = f"http://{settings.push_host}:{settings.push_port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=20) as client:
            await until(lambda: embedded.port_taken(settings.push_host, settings.push_port))
            yield part, client
    finally:
        part.stopping.set()
        await asyncio.wait([work], timeout=10)
        await close_part(part)
    work.result()
