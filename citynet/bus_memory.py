"""The bus in memory: the twin of NatsBus for unit tests; tests/contracts/test_bus.py holds both to one contract."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field

from citynet.bus import CONSUMERS, Consumer, Frame, Handler, Incoming, Puller, Unsubscribe
from citynet.errors import Unavailable

STREAMS = {consumer.stream: consumer.filter_subject.split(".")[0] for consumer in CONSUMERS}


def matches(pattern: str, subject: str) -> bool:
    """Whether a NATS subject fits a pattern with * and a last >."""
    wanted, got = pattern.split("."), subject.split(".")
    for index, word in enumerate(wanted):
        if word == ">":
            return len(got) > index
        if index >= len(got) or word not in ("*", got[index]):
            return False
    return len(wanted) == len(got)


@dataclass
class MemoryStream:
    """Messages of one stream, in order."""

    frames: list[Frame] = field(default_factory=list)
    msg_ids: set[str] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class MemoryPuller:
    """Durable over a MemoryStream. Unacknowledged frames come again after ack_wait_s."""

    consumer: Consumer
    stream: MemoryStream
    ack_wait_s: float
    acked: set[int] = field(default_factory=set)
    given: dict[int, float] = field(default_factory=dict)

    def _waiting(self) -> list[Frame]:
        now = time.monotonic()
        return [
            frame
            for frame in self.stream.frames
            if frame.seq not in self.acked
            and matches(self.consumer.filter_subject, frame.subject)
            and now - self.given.get(frame.seq, -self.ack_wait_s) >= self.ack_wait_s
        ]

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        """See citynet.bus.Puller."""
        until = time.monotonic() + wait_s
        while not (found := self._waiting()[:batch]) and (left := until - time.monotonic()) > 0:
            self.stream.arrived.clear()
            try:
                await asyncio.wait_for(self.stream.arrived.wait(), min(left, self.ack_wait_s))
            except TimeoutError:
                continue
        self.given.update({frame.seq: time.monotonic() for frame in found})
        return found

    async def ack(self, frames: list[Frame]) -> None:
        """See citynet.bus.Puller."""
        if self.consumer.in_order and frames:
            self.acked.update(seq for seq in self.given if seq <= frames[-1].seq)
        self.acked.update(frame.seq for frame in frames)

    async def in_progress(self, frames: list[Frame]) -> None:
        """See citynet.bus.Puller."""
        self.given.update({frame.seq: time.monotonic() for frame in frames})

    async def pending(self) -> int:
        """See citynet.bus.Puller."""
        fitting = (f for f in self.stream.frames if matches(self.consumer.filter_subject, f.subject))
        return sum(frame.seq not in self.acked for frame in fitting)


class MemoryBus:
    """Everything that Bus promises, for one process."""

    def __init__(self, *, ack_wait_s: float = 30.0) -> None:
        self.ack_wait_s = ack_wait_s
        self.streams: dict[str, MemoryStream] = defaultdict(MemoryStream)
        self.handlers: list[tuple[str, Handler]] = []
        self.pullers: dict[str, MemoryPuller] = {}

    async def publish(
        self, subject: str, data: bytes, *, msg_id: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """See citynet.bus.Bus."""
        name = next((name for name, first in STREAMS.items() if first == subject.split(".")[0]), None)
        if name is None:
            raise Unavailable(f"no stream takes {subject}")
        stream = self.streams[name]
        if not msg_id or msg_id not in stream.msg_ids:
            stream.msg_ids.add(msg_id)
            stream.frames.append(Frame(subject, data, len(stream.frames) + 1, time.time_ns(), headers))
            stream.arrived.set()
        await self.push(subject, data)

    async def push(self, subject: str, data: bytes) -> None:
        """See citynet.bus.Bus."""
        for pattern, handler in self.handlers:
            if matches(pattern, subject):
                await handler(Incoming(subject, data))

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Unsubscribe:
        """See citynet.bus.Bus."""
        self.handlers.append((subject, handler))

        async def end() -> None:
            self.handlers.remove((subject, handler))

        return end

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """See citynet.bus.Bus."""
        for pattern, handler in self.handlers:
            if matches(pattern, subject):
                answer = await asyncio.wait_for(handler(Incoming(subject, data)), timeout_s)
                if answer is not None:
                    return answer
        raise Unavailable(f"nobody answered {subject}")

    async def puller(self, consumer: Consumer) -> Puller:
        """See citynet.bus.Bus."""
        fresh = MemoryPuller(consumer, self.streams[consumer.stream], self.ack_wait_s)
        return self.pullers.setdefault(consumer.durable, fresh)

    async def last(self, stream: str, subject: str) -> bytes | None:
        """See citynet.bus.Bus; of the streams between rooms."""
        pullers = [p for p in self.pullers.values() if p.consumer.stream == stream]
        held = [
            frame
            for frame in self.streams[stream].frames
            if frame.subject == subject and not (pullers and all(frame.seq in p.acked for p in pullers))
        ]
        return held[-1].data if held else None

    async def close(self) -> None:
        """See citynet.bus.Bus."""
        self.handlers.clear()
