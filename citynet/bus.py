"""NATS JetStream for every part: publish, pull, ack, core push, request and reply; the streams of CONTRACTS.md."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import msgspec
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig
from nats.js.client import JetStreamContext

from citynet.bus_wire import Reader, Wire
from citynet.errors import Unavailable
from citynet.frames import Frame as Frame
from citynet.frames import delivery, lean_frame, library_frame
from citynet.model import PARTITIONS
from citynet.settings import Settings
from citynet.streams import stream_configs

FIRST_ANSWER_S = 5.0
CONTROL_S = 15.0  # a broker that makes or resets a consumer beside a burst of writes is slow, not away
LEADERS_S = 60.0
READER_BATCH, READER_WAIT_S, READER_KEPT_S = 1_000, 5.0, 30.0
Handler = Callable[["Incoming"], Awaitable[bytes | None]]
Unsubscribe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A core message: subject and body. A handler of a request returns the reply."""

    subject: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Consumer:
    """A durable of a stream. in_order = exactly one puller exists, one ack covers all before it (AckPolicy.ALL).

    lean = many small messages: read by our own reader, which keeps no headers but those of citynet (decision 0035).
    """

    stream: str
    durable: str
    filter_subject: str
    in_order: bool = False
    lean: bool = False


def partitioned(stream: str, durable: str, prefix: str) -> list[Consumer]:
    """One in-order durable for each partition: subjects <prefix>.<k>, with or without further tokens."""
    lean = stream != "READINGS"
    tail = ".>" if lean else ""
    return [
        Consumer(stream, f"{durable}-{k}", f"{prefix}.{k}{tail}", in_order=True, lean=lean) for k in range(PARTITIONS)
    ]


GATEWAY_UPLINKS = partitioned("UPLINKS", "gateway-live", "up")
GATEWAY_HISTORY = partitioned("HISTORY", "gateway-hist", "hist")
GATEWAY_QOS0 = Consumer("UPLINKS_QOS0", "gateway-qos0", "devices.*.up", in_order=True)
GATEWAY_COMMANDS = Consumer("COMMANDS", "gateway-commands", "commands.>")
INGEST_LIVE = Consumer("READINGS", "ingest-live", "readings.live.*")
INGEST_HISTORY = Consumer("READINGS", "ingest-hist", "readings.hist.*")
INGEST_EDITS = Consumer("READINGS", "ingest-edits", "readings.edit")
INGEST_RADIO = Consumer("READINGS", "ingest-radio", "readings.radio")
INGEST_EVENTS = Consumer("EVENTS", "ingest-events", "events.>")
INGEST_RECEIPTS = Consumer("RECEIPTS", "ingest-receipts", "receipts.>")
INGEST_DEAD = Consumer("DEAD", "ingest-dead", "dead.>")
# Raw frames for the archive: one process at a time, see ingest.archive.
INGEST_ARCHIVE = [
    Consumer(stream, "ingest-archive", subject, in_order=True, lean=True)
    for stream, subject in (("UPLINKS", "up.>"), ("HISTORY", "hist.>"))
]
INGEST_REQUESTS = Consumer("REQUESTS", "ingest-requests", "requests.replay")
ANALYTICS_LIVE = partitioned("READINGS", "analytics-live", "readings.live")
ANALYTICS_HISTORY = partitioned("READINGS", "analytics-hist", "readings.hist")
CONSUMERS = [
    *GATEWAY_UPLINKS, *GATEWAY_HISTORY, GATEWAY_QOS0, GATEWAY_COMMANDS, INGEST_LIVE, INGEST_HISTORY,
    INGEST_EDITS, INGEST_RADIO, INGEST_EVENTS, INGEST_RECEIPTS, INGEST_DEAD, INGEST_REQUESTS, *INGEST_ARCHIVE,
    *ANALYTICS_LIVE, *ANALYTICS_HISTORY,
]  # fmt: skip


class Puller(Protocol):
    """A durable consumer. Frames are gone only when acknowledged; what is not comes again after ack_wait_s."""

    ack_wait_s: float

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        """Up to batch frames, waiting at most wait_s for the first; empty when there is none."""

    async def ack(self, frames: list[Frame]) -> None:
        """Acknowledge all frames of a fetch, after what they cause is stored."""

    async def in_progress(self, frames: list[Frame]) -> None:
        """Keep frames that take long from being delivered again."""

    async def pending(self) -> int:
        """Frames in the stream that this consumer has not acknowledged yet."""


class Bus(Protocol):
    """What a part may do with the broker."""

    async def publish(
        self, subject: str, data: bytes, *, msg_id: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Store a message in the stream of its subject; returns when it is durable. Raises Unavailable."""

    async def push(self, subject: str, data: bytes) -> None:
        """Send a core message to whoever listens now."""

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Unsubscribe:
        """Call handler for each core message; a returned body answers a request. Gives what ends it."""

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask another room. Raises Unavailable when nobody answers in time."""

    async def puller(self, consumer: Consumer) -> Puller:
        """The puller of a durable, created where it is missing."""

    async def last(self, stream: str, subject: str) -> bytes | None:
        """Body of the newest message of a subject that a stream still holds. Raises Unavailable."""

    async def close(self) -> None:
        """Drain and close."""


@contextmanager
def _answers() -> Iterator[None]:
    """Say a failure of the broker in our words."""
    try:
        yield
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
        raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error


class Source(Protocol):
    """Where a puller gets its frames from: the client library, or our own reader."""

    async def renew(self) -> bool:
        """Make ready; whether the way is a new one, so that what went over the old one is in nobody's hand."""

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        """See Puller."""

    async def answer(self, replies: list[bytes], word: bytes) -> None:
        """Send an acknowledgement to each reply."""


class LibrarySource:
    """Frames by nats-py."""

    def __init__(self, client: Client, subscription: JetStreamContext.PullSubscription) -> None:
        self._client, self._subscription = client, subscription

    async def renew(self) -> bool:
        """See Source: the library reconnects by itself."""
        return False

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        """See Source. Raises Unavailable when the broker is away."""
        with _answers(), suppress(TimeoutError, nats.errors.TimeoutError):
            return [library_frame(message) for message in await self._subscription.fetch(batch, timeout=wait_s)]
        return []

    async def answer(self, replies: list[bytes], word: bytes) -> None:
        """See Source. Raises Unavailable."""
        with _answers():
            for reply in replies:
                await self._client.publish(reply.decode(), word)


class NatsPuller:
    """Puller on one JetStream durable.

    In order, one ack covers all before it, so a frame that a dead predecessor took, or that was lost on a broken
    connection, would be acknowledged unseen. Therefore such a puller starts at the first frame without an ack, and
    goes back there whenever the consumer's own count of deliveries shows a gap.
    """

    def __init__(self, bus: "NatsBus", consumer: Consumer, source: Source) -> None:
        self._bus, self._consumer, self._source = bus, consumer, source
        self._in_order = consumer.in_order
        self.ack_wait_s: float = bus.settings.ack_wait_s
        self._delivered = 0

    async def fetch(self, batch: int, wait_s: float) -> list[Frame]:
        """See Puller. Raises Unavailable when the broker is away."""
        if await self._source.renew() and self._in_order:
            await self.rewind()
        frames = await self._source.fetch(batch, wait_s)
        if self._in_order and frames and not self._complete(frames):
            await self.rewind()
            return []
        return frames

    def _complete(self, frames: list[Frame]) -> bool:
        first, last = delivery(frames[0]), delivery(frames[-1])
        whole = first == self._delivered + 1 and last == self._delivered + len(frames)
        self._delivered = last
        return whole

    async def rewind(self) -> None:
        """Go back to the first frame without an acknowledgement; deliveries are counted from 1 again."""
        subject = f"$JS.API.CONSUMER.RESET.{self._consumer.stream}.{self._consumer.durable}"
        answer = msgspec.json.decode(await self._bus.request(subject, b"", timeout_s=CONTROL_S))
        if "error" in answer:
            raise Unavailable(f"the broker does not rewind {self._consumer.durable}: {answer['error']}")
        self._delivered = 0

    async def ack(self, frames: list[Frame]) -> None:
        """See Puller. Raises Unavailable when the broker is away: the frames come again."""
        await self._source.answer([frame.raw for frame in (frames[-1:] if self._in_order else frames)], b"+ACK")

    async def in_progress(self, frames: list[Frame]) -> None:
        """See Puller."""
        await self._source.answer([frame.raw for frame in frames], b"+WPI")

    async def pending(self) -> int:
        """See Puller."""
        return await self._bus.pending(self._consumer)


class NatsBus:
    """Bus on a NATS server."""

    def __init__(self, client: Client, settings: Settings, user: str) -> None:
        self.client, self.settings, self.user = client, settings, user
        self.js = client.jetstream(timeout=5)
        self.api = client.jetstream(timeout=CONTROL_S)
        self._wire: Wire | None = None

    async def publish(
        self, subject: str, data: bytes, *, msg_id: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """See Bus."""
        head = dict(headers or {})
        if msg_id:
            head["Nats-Msg-Id"] = msg_id
        try:
            await self.js.publish(subject, data, headers=head or None)
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise Unavailable(f"the broker did not store {subject}: {type(error).__name__}") from error

    async def push(self, subject: str, data: bytes) -> None:
        """See Bus."""
        try:
            await self.client.publish(subject, data)
        except nats.errors.Error as error:
            raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error

    async def subscribe(self, subject: str, handler: Handler, *, queue: str = "") -> Unsubscribe:
        """See Bus."""

        async def call(message: Msg) -> None:
            answer = await handler(Incoming(message.subject, message.data))
            if answer is not None and message.reply:
                await message.respond(answer)

        return (await self.client.subscribe(subject, queue=queue, cb=call)).unsubscribe

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """See Bus."""
        try:
            message = await self.client.request(subject, data, timeout=timeout_s)
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"nobody answered {subject} within {timeout_s:.0f} s") from error
        return message.data

    async def puller(self, consumer: Consumer) -> Puller:
        """See Bus. Raises Unavailable."""
        try:
            await self._add_consumer(consumer)
            puller = NatsPuller(self, consumer, await self._source(consumer))
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise Unavailable(f"the broker gives no consumer on {consumer.stream} ({error!r})") from error
        if consumer.in_order:
            await puller.rewind()
        return puller

    async def _source(self, consumer: Consumer) -> Source:
        server = self.client.connected_url
        if consumer.lean and server and server.scheme == "nats":
            self._wire = self._wire or Wire(
                self._address, user=self.user, password=self.settings.secret(f"nats_{self.user}")
            )
            return Reader(self._wire, consumer.stream, consumer.durable, make=lean_frame)
        subscription = await self.api.pull_subscribe_bind(durable=consumer.durable, stream=consumer.stream)
        return LibrarySource(self.client, subscription)

    def _address(self) -> tuple[str, int]:
        """The server that the library is connected to now."""
        server = self.client.connected_url
        if server is None or not server.hostname:
            raise OSError("not connected")
        return server.hostname, server.port or 4222

    async def _add_consumer(self, consumer: Consumer) -> None:
        config = ConsumerConfig(
            durable_name=consumer.durable,
            filter_subject=consumer.filter_subject,
            ack_policy=AckPolicy.ALL if consumer.in_order else AckPolicy.EXPLICIT,
            ack_wait=self.settings.ack_wait_s,
            max_ack_pending=self.settings.max_ack_pending,
            max_deliver=-1,
        )
        await self.api.add_consumer(consumer.stream, config)

    async def pending(self, consumer: Consumer) -> int:
        """Frames that a durable has not acknowledged yet, whoever pulls it. Raises Unavailable."""
        with _answers():
            info = await self.api.consumer_info(consumer.stream, consumer.durable)
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)

    async def acknowledged(self, consumer: Consumer, subject: str, *, back_s: float) -> AsyncIterator[list[Frame]]:
        """Frames on subject that an in-order consumer has acknowledged, of the last back_s seconds up to its newest.

        In pieces, oldest first; what the stream has let go is missing. Raises Unavailable.
        """
        with _answers():
            floor = (await self.api.consumer_info(consumer.stream, consumer.durable)).ack_floor
            last = floor.stream_seq if floor else 0
            newest = await self._stored(consumer.stream, last)
            if newest is None:
                return
        since = newest - timedelta(seconds=back_s)
        async for frames in self.reread(consumer.stream, subject, since=since, last=last, batch=READER_BATCH):
            yield frames

    async def _stored(self, stream: str, seq: int) -> datetime | None:
        """When a message was stored; None when the stream no longer has it."""
        try:
            return (await self.api.get_msg(stream, seq)).time if seq else None
        except nats.js.errors.NotFoundError:
            return None

    async def last(self, stream: str, subject: str) -> bytes | None:
        """See Bus."""
        with _answers(), suppress(nats.js.errors.NotFoundError):
            return (await self.api.get_last_msg(stream, subject)).data
        return None

    async def stored(self, stream: str, seq: int) -> bytes | None:
        """Body of a message that the stream still holds. Raises Unavailable."""
        with _answers(), suppress(nats.js.errors.NotFoundError):
            return (await self.api.get_msg(stream, seq)).data
        return None

    async def reread(
        self, stream: str, subject: str, *, since: datetime, batch: int, last: int = 0
    ) -> AsyncIterator[list[Frame]]:
        """What the stream holds from a moment on up to last (0 = now), whoever has acknowledged it. Raises Unavailable.

        In pieces, oldest first.
        """
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=since.astimezone(UTC),
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=READER_KEPT_S,
        )
        with _answers():
            last = last or (await self.stream_state(stream))[2]
            reading = await self.api.pull_subscribe(subject, stream=stream, config=config)
            left = int((await reading.consumer_info()).num_pending or 0)
        while left > 0:
            with _answers():
                frames = [library_frame(m) for m in await reading.fetch(batch, timeout=READER_WAIT_S)]
            yield [frame for frame in frames if frame.seq <= last]
            left = left - len(frames) if frames[-1].seq < last else 0
        with _answers():
            await reading.unsubscribe()

    async def oldest(self, stream: str) -> datetime | None:
        """When the first message that a stream still holds was stored; None when it holds none. Raises Unavailable."""
        with _answers():
            state = (await self.api.stream_info(stream)).state
            return await self._stored(stream, state.first_seq) if state.messages else None

    async def stream_state(self, stream: str) -> tuple[int, int, int]:
        """(messages, bytes, last sequence) of a stream."""
        state = (await self.api.stream_info(stream)).state
        return state.messages, state.bytes, state.last_seq

    async def ensure_streams(self) -> None:
        """Create missing streams and durables and bring the others to the settings.

        A cluster that has just started is given time to find its leaders. Raises Unavailable.
        """
        for config in stream_configs(self.settings):
            await self._led(partial(self._ensure_stream, config))
        for consumer in CONSUMERS:
            await self._led(partial(self._add_consumer, consumer))

    async def _ensure_stream(self, config: StreamConfig) -> None:
        try:
            await self.api.add_stream(config)
        except nats.js.errors.BadRequestError:
            await self.api.update_stream(config)

    async def _led(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again while no node of a cluster leads yet."""
        until = asyncio.get_running_loop().time() + (LEADERS_S if self.settings.stream_replicas > 1 else 0)
        while True:
            try:
                return await work()
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
                if asyncio.get_running_loop().time() > until:
                    raise Unavailable(f"the broker does not make its streams ({error!r})") from error
                await asyncio.sleep(0.25)

    async def close(self) -> None:
        """See Bus."""
        if self._wire:
            await self._wire.close()
        if not self.client.is_closed:
            await self.client.close()


async def _first_connection(url: str, user: str, settings: Settings) -> Client:
    async def quiet(_: Exception) -> None:
        """Errors surface where the call is made; nats-py would print them as well."""

    return await nats.connect(
        url.split(","),
        user=user,
        password=settings.secret(f"nats_{user}"),
        name=f"citynet-{user}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,
        connect_timeout=2,
        error_cb=quiet,
    )


async def connect(settings: Settings, user: str) -> NatsBus:
    """A bus for the part called user; reconnects without end. Raises Unavailable when there is no first answer."""

    url = settings.nats_url or f"nats://127.0.0.1:{settings.nats_port}"
    try:
        # nats-py tries the first connection as endlessly as later ones: the limit must be ours.
        client = await asyncio.wait_for(_first_connection(url, user, settings), FIRST_ANSWER_S)
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise Unavailable(f"no NATS for the user {user} at {url}: start it or set CITYNET_NATS_URL") from error
    return NatsBus(client, settings, user)


@asynccontextmanager
async def held(puller: Puller, frames: list[Frame]) -> AsyncIterator[None]:
    """Keep frames in progress for as long as the block takes, so that they are not delivered again meanwhile."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(puller.ack_wait_s / 3)
            await puller.in_progress(frames)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def connected(settings: Settings, user: str) -> AsyncIterator[NatsBus]:
    """connect() and close()."""
    bus = await connect(settings, user)
    try:
        yield bus
    finally:
        await bus.close()
