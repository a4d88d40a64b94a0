"""Proposes objects and devices to the registry over the bus; used by the fleet and by recordings."""

import asyncio
from collections.abc import Iterable, Iterator

import msgspec
import structlog

from citynet.bus import Bus
from citynet.catalog import catalog
from citynet.credentials import digest
from citynet.errors import ConfigError, Unavailable
from citynet.model import Proposal, ProposalRequest, Reply
from citynet.settings import Settings
from simulators import wires

log = structlog.get_logger()
OBJECTS_MAX = 300
BYTES_MAX = 400_000
TIMEOUT_S = 60.0
RETRY_S = 0.5


def requests(source: str, objects: Iterable[Proposal], settings: Settings) -> Iterator[ProposalRequest]:
    """Requests within the limits of one message, in the given order."""
    part: list[Proposal] = []
    size = 0
    for proposal in objects:
        length = len(msgspec.json.encode(proposal))
        if part and (len(part) >= OBJECTS_MAX or size + length > BYTES_MAX):
            yield _request(source, part, settings)
            part, size = [], 0
        part.append(proposal)
        size += length
    if part:
        yield _request(source, part, settings)


def _request(source: str, part: list[Proposal], settings: Settings) -> ProposalRequest:
    names = {p.device.profile for p in part if p.device}
    known = catalog().profiles
    bodies = {name: known[name].model_dump(mode="json", by_alias=True) for name in names if name in known}
    own = [p.device.external_id for p in part if p.device and wires.signs_in(p.device)]
    tokens = {name: digest(wires.token(settings, name)) for name in own}
    return ProposalRequest(source, part, bodies, tokens=tokens)


async def propose(bus: Bus, source: str, objects: Iterable[Proposal], *, settings: Settings) -> int:
    """Registers the objects and the tokens of their devices; the number of objects that changed.

    Waits for the registry as long as it takes. Raises ConfigError with the registry's words when a proposal is refused.
    """
    applied = 0
    for request in requests(source, objects, settings):
        reply = await _ask(bus, msgspec.json.encode(request))
        if not reply.ok:
            raise ConfigError(f"the registry refused {source}: {reply.error}")
        applied += reply.applied
    return applied


async def _ask(bus: Bus, body: bytes) -> Reply:
    while True:
        try:
            return msgspec.json.decode(await bus.request("rpc.registry.propose", body, timeout_s=TIMEOUT_S), type=Reply)
        except Unavailable as error:
            log.info("waiting for the registry", error=str(error))
            await asyncio.sleep(RETRY_S)
