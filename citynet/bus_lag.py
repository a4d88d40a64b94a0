"""What waits in the streams: messages that a durable has not acknowledged, and how full a stream is."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass

import nats.errors
import nats.js.errors

from citynet.bus import CONSUMERS, NatsBus
from citynet.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Waiting:
    """Lag of each durable by (stream, durable), and of each stream messages, bytes and the most bytes."""

    lags: dict[tuple[str, str], int]
    streams: dict[str, tuple[int, int, int]]

    def by_stage(self) -> dict[str, int]:
        """Lags of all partitions of a durable together."""
        stages: Counter[str] = Counter()
        for (_, durable), lag in self.lags.items():
            stages[re.sub(r"-\d+$", "", durable)] += lag
        return dict(sorted(stages.items()))


async def waiting(bus: NatsBus) -> Waiting:
    """One request a stream and one for all. Raises Unavailable."""
    names = sorted({one.stream for one in CONSUMERS})
    try:
        found = await bus.api.streams_info()
        lists = await asyncio.gather(*(bus.api.consumers_info(name) for name in names))
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
        raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error
    streams = {
        str(one.config.name): (one.state.messages, one.state.bytes, max(one.config.max_bytes or 0, 0))
        for one in found
        if not str(one.config.name).startswith("$")
    }
    lags = {
        (stream, str(one.name)): int(one.num_pending or 0) + int(one.num_ack_pending or 0)
        for stream, some in zip(names, lists, strict=True)
        for one in some
    }
    return Waiting(lags, streams)
