"""One hub per web process: live.>, stats.> and registry changes of the bus, fanned out through bounded queues."""

import asyncio
from dataclasses import dataclass, field

import msgspec

from citynet.bus import Bus, Incoming
from citynet.model import PartStats

QUEUE_MAX = 256
GONE_S = 2.5  # a part tells its statistics every second


@dataclass(frozen=True, slots=True)
class Push:
    """kind is newest, condition, incident, command, receipt, quarantine, part, stats, registry or resync (read again).

    data is the encoded body: LiveNewest (MessagePack) for newest, PartStats for stats, nothing for registry and
    resync, LiveChanged else (citynet.model).
    """

    kind: str
    data: bytes


@dataclass(eq=False)
class Subscription:
    """What one screen follows. Iterate with get(); after an overflow the next push is one resync."""

    kinds: frozenset[str]
    queue: asyncio.Queue[Push] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))

    async def get(self) -> Push:
        """The next push; waits for it."""
        return await self.queue.get()

    def offer(self, push: Push) -> None:
        """Queue a push; a full queue is emptied and becomes one resync."""
        if push.kind not in self.kinds:
            return
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            push = Push("resync", b"")
        self.queue.put_nowait(push)


@dataclass
class PartSample:
    """The last two statistics of a part with their monotonic times, for rates."""

    stats: PartStats
    at: float
    before: PartStats
    before_at: float


class Hub:
    """Subscribe first, read the snapshot second, drop versions at or below it; read again every 30 s."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.parts: dict[tuple[str, int], PartSample] = {}  # by part and process
        self._subscriptions: set[Subscription] = set()

    async def start(self) -> "Hub":
        """Begin to listen on the bus."""
        await self.bus.subscribe("live.>", self._live)
        await self.bus.subscribe("stats.>", self._stats)
        await self.bus.subscribe("changes.registry.>", self._registry)
        return self

    def subscribe(self, *kinds: str) -> Subscription:
        """Follow these kinds of push. Call unsubscribe() in a finally."""
        subscription = Subscription(frozenset(kinds))
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop following."""
        self._subscriptions.discard(subscription)

    async def _live(self, message: Incoming) -> None:
        self._offer(Push(message.subject.removeprefix("live."), message.data))

    async def _registry(self, _: Incoming) -> None:
        self._offer(Push("registry", b""))

    async def _stats(self, message: Incoming) -> None:
        try:
            stats = msgspec.json.decode(message.data, type=PartStats)
        except msgspec.MsgspecError:
            return
        now = asyncio.get_running_loop().time()
        key = (stats.part, stats.pid)
        same = self.parts.get(key)
        if same is None:  # a process that came in the place of one that is gone
            gone = [k for k, sample in self.parts.items() if k[0] == stats.part and now - sample.at > GONE_S]
            for old in gone:
                del self.parts[old]
        self.parts[key] = PartSample(stats, now, same.stats if same else stats, same.at if same else now)
        self._offer(Push("stats", message.data))

    def _offer(self, push: Push) -> None:
        for subscription in self._subscriptions:
            subscription.offer(push)
