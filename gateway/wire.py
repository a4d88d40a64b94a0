"""What a protocol and the uplink and downlink roads say to each other; one file of gateway/protocols/ each."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from citynet.catalog import CommandSpec
from citynet.errors import BadInput
from citynet.model import Command, ReceiptKind
from citynet.plugins import Family
from citynet.settings import Settings
from gateway.devices import Codec

NO_UNITS: Mapping[str, str] = MappingProxyType({})


class Sample(NamedTuple):
    """Values of one moment; time in us since 1970, None = after_us from when the frame was received (often 0).

    units: of keys whose unit the frame names itself, in the words of SenML; of others the profile knows it.
    """

    time: int | None
    values: Mapping[str, float]
    after_us: int = 0
    units: Mapping[str, str] = NO_UNITS


class Bad(NamedTuple):
    """One thing of a frame that cannot be used. With a key it matters only if the profile maps that key.

    text is the value where it was one: the profile may say what it stands for.
    """

    reason: str
    key: str = ""
    detail: str = ""
    text: str = ""


class Radio(NamedTuple):
    """Bytes that the device's own codec must decode."""

    time: int | None
    f_port: int
    data: bytes


class Heard(NamedTuple):
    """A gateway of the network that heard a frame: RSSI in dBm, SNR in dB, degrees of WGS 84 where they are known."""

    gateway: str
    rssi: float
    snr: float
    lon: float | None = None
    lat: float | None = None


class Reception(NamedTuple):
    """How an uplink came over the air. spreading = factor of LoRa, frequency in Hz, 0 = unknown; f_cnt -1 = a join."""

    session: str
    f_cnt: int
    spreading: int
    heard: list[Heard]
    frequency: int = 0


class Answer(NamedTuple):
    """What a frame tells about a command."""

    command_id: uuid.UUID
    kind: ReceiptKind
    detail: str = ""


class Told(NamedTuple):
    """What became of a wish to take a command back: withdrawn, or kept with a reason (words in texts, table kept)."""

    kind: ReceiptKind
    detail: str = ""


class Parsed(msgspec.Struct):
    """All that one frame says. repeat is equal for copies of one radio frame; counted says why there is nothing.

    application is the network server's application that the frame came through, empty = the device's own connection.
    """

    samples: list[Sample] = []
    bad: list[Bad] = []
    answers: list[Answer] = []
    radio: Radio | None = None
    # Bytes of what the network decoded already, for a profile that has a script of its own: then the first `replaced`
    # samples, and what is bad, are the script's.
    spare: Radio | None = None
    replaced: int = 0
    repeat: tuple[object, ...] | None = None
    reception: Reception | None = None
    joined: bool = False
    counted: str = ""
    application: str = ""


class Order(NamedTuple):
    """A command on its way down. spec is the profile's, codec the device's, wall_deadline for foreign clocks.

    marshaler is how ChirpStack wants its messages.
    """

    command: Command
    spec: CommandSpec
    codec: Codec | None
    wall_deadline: datetime
    marshaler: str = "json"


class Downlink(NamedTuple):
    """What to publish: subject (the MQTT topic with dots) and payload; radio_bytes of it go over the air."""

    subject: str
    payload: bytes
    radio_bytes: int = 0


class Speaks(Protocol):
    """A protocol. Both raise BadInput with a reason of gateway/quarantine.py; neither touches clock or socket."""

    def parse(self, tokens: list[str], payload: bytes, limits: Settings) -> Parsed:
        """Read a frame; tokens are those of its subject: up, partition, device, protocol, then the protocol's own."""

    def encode_down(self, order: Order) -> Downlink:
        """Write a command."""


# Payload -> time (see Sample) and values of a frame of the commonest form; None when parse() must look at it.
ReadPlain = Callable[[bytes], tuple[int | None, dict[str, float]] | None]


@runtime_checkable
class SpeaksPlainly(Protocol):
    """A protocol whose commonest frames are readings and nothing else: Decoder reads those in few steps."""

    def plain(self, tokens: list[str]) -> ReadPlain | None:
        """What reads frames of this subject, None where parse() must."""


PROTOCOLS: Family[Speaks] = Family("protocol")


@cache
def protocols() -> dict[str, Speaks]:
    """Every protocol by the name that devices and subjects carry."""
    return PROTOCOLS.load("gateway.protocols")


@cache
def plain_speakers() -> dict[str, SpeaksPlainly]:
    """Those of them that speak plainly. Kept, since isinstance of a Protocol costs as much as reading a frame."""
    return {name: one for name, one in protocols().items() if isinstance(one, SpeaksPlainly)}


def device_id(token: str) -> str:
    """Identifier of the device in a subject: NATS writes the dot of an MQTT topic as two slashes."""
    return token.replace("//", ".")


def subject_token(identifier: str) -> str:
    """The other way round. Raises BadInput when the identifier cannot stand in a topic."""
    if not identifier or any(c in "/*>+# \t\r\n\0" for c in identifier):
        raise BadInput("bad_identifier", repr(identifier))
    return identifier.replace(".", "//")


def moment_us(time: object) -> int | None:
    """us since 1970 of an RFC 3339 text or of seconds since 1970; None stays None. Raises BadInput (bad_time)."""
    if time is None:
        return None
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError as error:
            raise BadInput("bad_time", repr(time[:40])) from error
        if moment.tzinfo is None:
            raise BadInput("bad_time", f"{time[:40]!r} has no time zone")
        return round(moment.timestamp() * 1e6)
    if isinstance(time, bool) or not isinstance(time, (int, float)) or not abs(time) <= 1e11:
        raise BadInput("bad_time", repr(time)[:40])
    return round(time * 1e6)
