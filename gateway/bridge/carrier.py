"""Carries messages of one session to another: acknowledged there first, here afterwards. Runs in paho's threads."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import paho.mqtt.client as paho
import structlog

from citynet.errors import BadInput
from gateway.bridge.session import Session
from gateway.bridge.topics import Topics

log = structlog.get_logger()
# QoS 0 knows no back pressure: beyond this such messages are dropped and counted.
WAITING_MAX = 5_000


class Origin(NamedTuple):
    """Which message it was: connection counts those of its session, since is monotonic."""

    connection: int
    mid: int
    qos: int
    since: float


class Unfit(NamedTuple):
    """A message that our broker would not take; it goes to quarantine."""

    topic: str
    payload: bytes
    reason: str
    origin: Origin


class Carrier:
    """What the other side has not acknowledged stays unacknowledged here, and so the source holds back."""

    def __init__(self, source: Session, target: Session, topics: Topics, *, payload_max: int, counts: Counter[str]):
        self._source, self._target, self._topics = source, target, topics
        self._payload_max, self.counts = payload_max, counts
        self._pending: dict[int, Origin] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self.unfit: queue.SimpleQueue[Unfit] = queue.SimpleQueue()
        self.last = time.monotonic()
        source.client.on_message = self._guarded(self._arrived)
        target.client.on_publish = self._guarded(self._stored)

    def _guarded(self, work: Callable[..., None]) -> Callable[..., None]:
        """The message of a failed callback stays unacknowledged and comes again with the next connection."""

        def call(*told: Any) -> None:
            try:
                work(*told)
            except Exception:
                self._count("errors")
                log.exception("a message could not be carried", bridge=self._source.name, side=self._source.end.side)

        return call

    def _arrived(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        self.last = time.monotonic()
        payload = bytes(message.payload)
        origin = Origin(self._source.connection, message.mid, message.qos, self.last)
        if message.retain:
            return self._done(origin, "retained")  # old news that a broker keeps for newcomers
        try:
            goal = self._topics.lead(message.topic)
            if len(payload) > self._payload_max:
                raise BadInput("too_large", f"{len(payload)} bytes")
        except BadInput as error:
            return self.unfit.put(Unfit(message.topic, payload, error.reason, origin))
        if goal is None:
            return self._done(origin, "unmapped")
        if not message.qos and self.waiting >= WAITING_MAX:
            return self._count("dropped")
        self._send(goal, payload, origin)

    def _send(self, topic: str, payload: bytes, origin: Origin) -> None:
        mid = self._target.client.publish(topic, payload, qos=1).mid
        # Not held while publishing: paho calls _stored with its own lock in hand.
        with self._lock:
            if mid not in self._early:
                self._pending[mid] = origin
                return
            self._early.discard(mid)
        self._done(origin, "carried")

    def _stored(self, *told: Any) -> None:
        mid, reason = told[2], told[3]
        with self._lock:
            origin = self._pending.pop(mid, None)
            if origin is None:
                self._early.add(mid)  # the answer was faster than the thread that asked
                return
        self._done(origin, "refused" if reason.is_failure else "carried")

    def _done(self, origin: Origin, word: str) -> None:
        # Of an earlier connection: the broker sends it again, perhaps another message under its number.
        if origin.connection == self._source.connection:
            self._source.client.ack(origin.mid, origin.qos)
        self._count(word)

    def set_aside(self, unfit: Unfit) -> None:
        """The quarantine has it."""
        self._done(unfit.origin, "unfit")

    def _count(self, word: str) -> None:
        with self._lock:
            self.counts[word] += 1

    @property
    def waiting(self) -> int:
        """Messages that the other side has not acknowledged yet."""
        return len(self._pending)

    @property
    def oldest_s(self) -> float:
        """How long the oldest of them waits."""
        with self._lock:
            first = next(iter(self._pending.values()), None)
        return time.monotonic() - first.since if first else 0.0
