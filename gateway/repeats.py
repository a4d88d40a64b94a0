"""Remembers the last radio frames of each device, so that a frame sent twice over the air is read once.

Decision 0027: copies come within minutes, so a gateway that starts reads in UPLINKS what it must remember."""

from collections import deque
from collections.abc import AsyncIterator

from citynet.bus import Consumer, Frame, NatsBus

FRAMES_KEPT = 8
# A frame of up to 15 tries, each with its two receive windows, is over by then. Later the same counter and bytes are
# a new frame: a device without memory has started again from 0.
WITHIN_S = 600.0
# Protocols over radio, by the name that their subjects carry.
RADIO = ("chirpstack", "things_stack")


class Repeats:
    """A copy has the same session, counter, port and bytes, and comes soon; a new join starts afresh."""

    def __init__(self) -> None:
        self._known: dict[str, deque[tuple[int, int, int]]] = {}

    def forget(self, external_id: str) -> None:
        """The device has joined: its counter starts again."""
        self._known.pop(external_id, None)

    def seen(self, external_id: str, key: tuple[object, ...], frame: Frame) -> bool:
        """Whether another stored frame brought this before. The same stored frame again is no copy of itself."""
        known = self._known.setdefault(external_id, deque(maxlen=FRAMES_KEPT))
        mark, seq, came_ns = hash(key), frame.first_seq, frame.received_ns
        for other, at, then_ns in reversed(known):
            if other == mark and abs(came_ns - then_ns) <= WITHIN_S * 1e9:
                return at != seq
        known.append((mark, seq, came_ns))
        return False


async def recent(bus: NatsBus, consumer: Consumer) -> AsyncIterator[list[Frame]]:
    """Radio frames that a partition has acknowledged and that may still have copies. Raises Unavailable."""
    root = consumer.filter_subject.removesuffix(".>")
    for protocol in RADIO:
        async for frames in bus.acknowledged(consumer, f"{root}.*.{protocol}.>", back_s=WITHIN_S):
            yield frames
