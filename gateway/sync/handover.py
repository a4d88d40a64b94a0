"""Hands what a synchronisation found over to the registry, in messages that the bus takes."""

from collections.abc import Iterator

import msgspec

from citynet.bus import Bus
from citynet.errors import ConfigError
from citynet.model import Proposal, ProposalRequest, Reply
from gateway.sync.found import Found

REQUEST_BYTES, REQUEST_OBJECTS = 400_000, 300
ANSWER_S = 60.0


def requests(found: Found) -> Iterator[ProposalRequest]:
    """Messages within the limits of the bus: profiles first, each alone for its codec may be long."""
    for name, body in found.profiles.items():
        yield ProposalRequest(found.source, [], {name: body})
    for name, script in found.codecs.items():
        yield ProposalRequest(found.source, [], codecs={name: script})
    part: list[Proposal] = []
    size = 0
    for proposal in found.objects:
        length = len(msgspec.json.encode(proposal))
        if part and (len(part) >= REQUEST_OBJECTS or size + length > REQUEST_BYTES):
            yield ProposalRequest(found.source, part)
            part, size = [], 0
        part.append(proposal)
        size += length
    if part:
        yield ProposalRequest(found.source, part)


async def propose(bus: Bus, found: Found) -> int:
    """Hand over what was found; the number of objects that changed. Raises ConfigError, Unavailable."""
    applied = 0
    for request in requests(found):
        answer = await bus.request("rpc.registry.propose", msgspec.json.encode(request), timeout_s=ANSWER_S)
        reply = msgspec.json.decode(answer, type=Reply)
        if not reply.ok:
            raise ConfigError(f"the registry refused what {found.source} has: {reply.error}")
        applied += reply.applied
    return applied
