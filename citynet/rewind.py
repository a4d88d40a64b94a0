"""After a restore: raw frames that the broker still holds go through the gateway again, from a moment on.

What the database knows already changes nothing there; what it lost is stored. For `citynet deploy rewind`."""

from dataclasses import dataclass
from datetime import datetime

import nats.errors
import nats.js.errors

from citynet.bus import GATEWAY_HISTORY, GATEWAY_UPLINKS, INGEST_ARCHIVE, NatsBus
from citynet.errors import Conflict, Unavailable

DURABLES = [*GATEWAY_UPLINKS, *GATEWAY_HISTORY, *INGEST_ARCHIVE]


@dataclass(frozen=True, slots=True)
class Rewound:
    """Where a stream goes on: the sequence of its first frame that comes again, and how many there are up to now."""

    stream: str
    first: int
    frames: int


async def rewind(bus: NatsBus, since: datetime) -> list[Rewound]:
    """Raises Conflict while a part pulls, Unavailable when the broker does not answer."""
    try:
        for one in DURABLES:
            if (await bus.api.consumer_info(one.stream, one.durable)).num_waiting:
                raise Conflict(f"{one.durable} is at work: stop the parts gateway and ingest first")
        return [await _stream(bus, stream, since) for stream in ("UPLINKS", "HISTORY")]
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
        raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error


async def _stream(bus: NatsBus, stream: str, since: datetime) -> Rewound:
    """Nobody is moved forward: frames that a durable has not acknowledged come anyway."""
    first, last = await _first(bus, stream, since), (await bus.stream_state(stream))[2]
    if not first:
        return Rewound(stream, last + 1, 0)
    for one in (durable for durable in DURABLES if durable.stream == stream):
        floor = (await bus.api.consumer_info(stream, one.durable)).ack_floor
        if floor and floor.stream_seq >= first:
            await bus.api.reset_consumer(stream, one.durable, seq=first)
    return Rewound(stream, first, last + 1 - first)


async def _first(bus: NatsBus, stream: str, since: datetime) -> int:
    async for frames in bus.reread(stream, ">", since=since, batch=1):
        return frames[0].seq if frames else 0
    return 0
