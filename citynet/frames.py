"""A stored message of a stream as pullers give it, and how it is made of what the broker sends. Used by citynet.bus."""

from dataclasses import dataclass, field
from typing import Any

from nats.aio.msg import Msg

# Headers of a frame that goes up again from the quarantine: when it first came (wall, ns), its first stream sequence,
# and its row. No device can set them: MQTT has no NATS headers.
ARRIVED, FIRST_SEQ, REPLAY_OF = "Citynet-Arrived", "Citynet-First-Seq", "Citynet-Replay-Of"


@dataclass(slots=True)
class Frame:
    """A stored message of a stream. seq is its stream sequence, arrival_ns when the broker stored it (wall)."""

    subject: str
    data: bytes
    seq: int
    arrival_ns: int
    headers: dict[str, str] | None = None
    raw: Any = field(default=None, repr=False)

    @property
    def received_ns(self) -> int:
        """When the frame first came: of a replayed one long before the broker stored it."""
        return int(self.headers.get(ARRIVED, self.arrival_ns)) if self.headers else self.arrival_ns

    @property
    def first_seq(self) -> int:
        """The sequence under which the frame first came."""
        return int(self.headers.get(FIRST_SEQ, self.seq)) if self.headers else self.seq

    @property
    def replay_of(self) -> int:
        """The row of the quarantine that the frame comes from; 0 for a frame of a device."""
        return int(self.headers.get(REPLAY_OF, 0)) if self.headers else 0


def delivery(frame: Frame) -> int:
    """How many deliveries of its consumer there were up to this one."""
    return int(frame.raw.split(b".")[-3])


def library_frame(message: Msg) -> Frame:
    """A frame of nats-py."""
    # reply = $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<stored ns>.<pending>; parsing it
    # here costs a tenth of nats-py's metadata property.
    tokens = message.reply.split(".")
    reply = message.reply.encode()
    return Frame(message.subject, message.data, int(tokens[-4]), int(tokens[-2]), message.headers, reply)


def lean_frame(parts: list[bytes], head: bytes, payload: bytes) -> Frame:
    """A frame of our own reader, parts begin with subject, subscription, reply: of its headers only citynet's."""
    reply = parts[2]
    tokens = reply.rsplit(b".", 5)
    headers = _our_headers(head) if b"Citynet-" in head else None
    return Frame(parts[0].decode(), payload, int(tokens[2]), int(tokens[4]), headers, reply)


def _our_headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode().splitlines() if line.startswith("Citynet-"))
    return {name: value.strip() for name, _, value in pairs}
