"""Room in the streams of raw frames before they are full: a full one refuses what devices send. For the gateway."""

import asyncio

import nats.errors
import nats.js.errors
import structlog

from citynet.bus import CONSUMERS, INGEST_ARCHIVE, NatsBus
from citynet.errors import Unavailable
from citynet.part import Part

log = structlog.get_logger()
STREAMS = ("UPLINKS", "HISTORY")
FULL, DOWN_TO = 0.8, 0.6  # of max_bytes
LOOK_S = 5.0


async def keep(part: Part) -> None:
    """Look every few seconds until the part stops. Raises Unavailable."""
    while not part.stopping.is_set():
        for stream in STREAMS:
            part.counters["frames_let_go"] += await make_room(part.bus, stream)
        await part.pause(LOOK_S)


async def make_room(bus: NatsBus, stream: str) -> int:
    """Frames let go: the oldest ones, none that a durable of the stream has not acknowledged. Raises Unavailable."""
    try:
        return await _make_room(bus, stream)
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
        raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error


async def _make_room(bus: NatsBus, stream: str) -> int:
    info = await bus.api.stream_info(stream)
    state, limit = info.state, info.config.max_bytes or 0
    if limit <= 0 or state.bytes < FULL * limit:
        return 0
    enough = state.first_seq + round(state.messages * (1 - DOWN_TO * limit / state.bytes))
    until = min(enough, 1 + await _done(bus, stream, state.last_seq))
    if until <= state.first_seq:
        log.warning("a stream is nearly full and its frames are not taken", stream=stream, bytes=state.bytes)
        return 0
    await bus.api.purge_stream(stream, seq=until)
    after = (await bus.api.stream_info(stream)).state.first_seq
    log.info("old frames let go", stream=stream, frames=after - state.first_seq)
    return after - state.first_seq


async def _done(bus: NatsBus, stream: str, last: int) -> int:
    """Up to which sequence every durable has acknowledged.

    One that nothing waits for is done up to last, which was read before: the floor of a partition that is still is old.
    """
    durables = [one for one in CONSUMERS if one.stream == stream]
    if not bus.settings.archive_days:
        durables = [one for one in durables if one not in INGEST_ARCHIVE]
    known = await asyncio.gather(*(bus.api.consumer_info(stream, one.durable) for one in durables))
    waiting = [one for one in known if (one.num_pending or 0) + (one.num_ack_pending or 0)]
    return min([last, *(one.ack_floor.stream_seq if one.ack_floor else 0 for one in waiting)])
