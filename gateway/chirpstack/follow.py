"""Synchronises the registry with ChirpStack from time to time; runs inside the gateway."""

import asyncio

import structlog

from citynet import registry
from citynet.errors import ConfigError, Unavailable
from citynet.part import Part
from gateway.chirpstack import handover, sync
from gateway.chirpstack.client import Client
from gateway.chirpstack.connection import Refused

log = structlog.get_logger()


async def follow(part: Part) -> None:
    """Synchronise from time to time until the part stops; a ChirpStack that is away is asked again later."""
    while not part.stopping.is_set():
        try:
            await _once(part)
            part.counters["chirpstack_synchronised"] += 1
        except (ConfigError, Refused, Unavailable) as error:
            part.counters["chirpstack_not_synchronised"] += 1
            log.warning("not synchronised with ChirpStack", error=str(error))
        try:
            await asyncio.wait_for(part.stopping.wait(), part.settings.chirpstack_sync_s)
        except TimeoutError:
            continue


async def _once(part: Part) -> None:
    client = Client(part.settings)
    try:
        found = await sync.read(client, await registry.load(part.db), part.settings)
    finally:
        await client.close()
    changed = await handover.propose(part.bus, found)
    log.info("synchronised with ChirpStack", changed=changed, **found.report()["read"])
