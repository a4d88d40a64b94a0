"""The nouns that travel between rooms: readings batch, event, command, receipt, proposal. Frozen, msgspec-encoded."""

import hashlib
import uuid
from datetime import UTC, datetime
from enum import IntFlag
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

PARTITIONS = 8
Severity = Literal["critical", "high", "medium", "low"]
Edge = Literal["open", "again", "close"]
ReceiptKind = Literal[
    "intent",
    "sent",
    "queued",
    "radiated",
    "acknowledged",
    "rejected",
    "failed",
    "expired",
    "unknown",
    "readback",
    "withdrawn",
    "waiting",
    "kept",
]


class Quality(IntFlag):
    """Bits of reading.quality; 0 is a good measured value."""

    GOOD = 0
    ESTIMATED = 1
    EDITED = 2
    OUT_OF_RANGE = 4
    CLOCK_DOUBTFUL = 8
    LATE = 16
    REPEATED = 32
    SUBSTITUTED = 64
    STUCK = 128


class Used(IntFlag):
    """Bits of what a consumption is; 0 is read from the register at both ends."""

    READ = 0
    ESTIMATED = 1
    PARTIAL = 2
    ROLLOVER = 4
    SWAP = 8
    RESET = 16
    REVERSE = 32


# Headers of a batch on readings.edit: who asked, why, and the version of the codec (profile@version).
EDIT_WHO, EDIT_WHY, EDIT_CODEC = "Citynet-Who", "Citynet-Why", "Citynet-Codec"
# One batch of readings between gateway, ingest and analytics: columns of equal length, one row a value.
# arrival is the wall time in ns at which the broker stored the frame; it serves latency figures only.
READINGS_SCHEMA = pa.schema(
    [
        pa.field("series_id", pa.int32(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("received", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("quality", pa.int16(), nullable=False),
        pa.field("partition", pa.uint8(), nullable=False),
        pa.field("uplink_seq", pa.uint64(), nullable=False),
        pa.field("arrival", pa.int64(), nullable=False),
    ]
)


def pack_readings(batch: pa.RecordBatch) -> bytes:
    """One record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, READINGS_SCHEMA) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpack_readings(data: bytes) -> pa.RecordBatch:
    """The record batch of a READINGS message. Raises pa.ArrowInvalid on foreign bytes."""
    with pa.ipc.open_stream(data) as reader:
        batch = reader.read_next_batch()
    if not batch.schema.equals(READINGS_SCHEMA):
        raise pa.ArrowInvalid("not a readings batch")
    return batch


def column(batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """A column of a readings batch as numpy, without a copy; times as int64 us since 1970.

    pyarrow's own way to numpy imports pandas first: a second or more in the middle of the first frame.
    Raises pa.ArrowInvalid where a value is missing.
    """
    values = batch.column(name)
    if values.null_count:
        raise pa.ArrowInvalid(f"a value of {name} is missing")
    kind = np.int64 if pa.types.is_timestamp(values.type) else values.type.to_pandas_dtype()
    return np.frombuffer(values.buffers()[1], kind, len(values), values.offset * np.dtype(kind).itemsize)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One edge of a rule on an object: it opened, happened again, or closed. Times are city time."""

    event_id: uuid.UUID
    rule_id: str
    rule_version: int
    object_id: int
    signal: str
    edge: Edge
    severity: Severity
    time: datetime
    why_ru: str
    why_en: str
    series_id: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None


def event_id(rule: str, version: int, object_id: int, *, signal: str, opened: datetime, edge: str, n: int) -> uuid.UUID:
    """Stable id of an event: the same facts give the same id after any restart."""
    text = f"{rule}|{version}|{object_id}|{signal}|{opened.isoformat()}|{edge}|{n}"
    # Version 5 by the bits: a name's hash. Version 8 would say it better, Python 3.11 refuses it.
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=5)


def edge_event(
    rule: str,
    object_id: int,
    why: tuple[str, str],
    *,
    signal: str,
    over: bool,
    time: datetime,
    severity: Severity = "low",
    series_id: int | None = None,
    value: float | None = None,
) -> Event:
    """What a rule of code says, which opens and closes once each time; why in Russian and in English."""
    edge: Edge = "close" if over else "open"
    return Event(
        event_id=event_id(rule, 1, object_id, signal=signal, opened=time, edge=edge, n=0),
        rule_id=rule,
        rule_version=1,
        object_id=object_id,
        signal=signal,
        edge=edge,
        severity=severity,
        time=time,
        why_ru=why[0],
        why_en=why[1],
        series_id=series_id,
        value=value,
    )


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What situation_center asks gateway to send to one device."""

    command_id: uuid.UUID
    device_id: int
    external_id: str
    protocol: str
    profile: str
    action: str
    args: dict[str, float | str | bool]
    deadline: datetime
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command: an observation, never a wish. Times are city time."""

    command_id: uuid.UUID
    kind: ReceiptKind
    time: datetime
    detail: str = ""


class HeardBy(msgspec.Struct, frozen=True, array_like=True):
    """A radio gateway that heard a frame: RSSI in dBm, SNR in dB."""

    gateway: str
    rssi: float
    snr: float


class RadioFrame(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How one uplink came over the air; a list of them as MessagePack is the body of readings.radio.

    arrived_ns is wall time and orders the frames of a device, time_us city time. f_cnt -1: the device has joined.
    frequency in Hz, 0 where it is not known.
    """

    device_id: int
    arrived_ns: int
    time_us: int
    session: str
    f_cnt: int
    spreading: int
    heard: list[HeardBy]
    frequency: int = 0


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A frame or row that could not be used, with its bytes and the reason; ingest stores it.

    Body of dead.quarantine, one notice a message, as JSON: payload is base64. arrived_ns is wall time, 0 = unknown;
    replay_of is the row of the quarantine whose replay failed again, 0 = the frame came from a device.
    """

    stage: str
    reason: str
    detail: str = ""
    subject: str = ""
    external_id: str = ""
    stream: str = ""
    stream_seq: int = 0
    payload: bytes = b""
    arrived_ns: int = 0
    replay_of: int = 0


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of requests.replay: frames of the quarantine that go up again; empty fields choose all, until = asked at.

    situation_center asks, ingest marks the rows and publishes their bytes on their own subjects.
    """

    who: str
    until: datetime
    ids: list[int] = []
    external_id: str = ""
    reason: str = ""
    since: datetime | None = None


class RedecodeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of rpc.uplinks.redecode: stored frames since a moment (wall) are decoded again by the codecs of now.

    external_id and profile narrow the choice; empty = all. who and why are written into every corrected reading.
    """

    request_id: str
    who: str
    why: str
    since: datetime
    external_id: str = ""
    profile: str = ""


class RedecodeProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Core subject live.redecode, with every batch: frames read so far and readings handed to ingest."""

    request_id: str
    frames: int
    readings: int
    refused: int
    done: bool
    error: str = ""


class FramesAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Body of rpc.uplinks.frames: the last raw frames of one device; nothing is stored."""

    external_id: str
    limit: int = 20


class RawValue(msgspec.Struct, frozen=True, array_like=True):
    """A value that a raw frame gives by the codecs of now: series, time in us since 1970, quality bits."""

    series_id: int
    time_us: int
    value: float
    quality: int


class RawFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame as it came: time (city) of its arrival, protocol and kind as its subject names them.

    by_radio: payload is what went over the air, else the whole message; its first bytes, size is all of it. values by
    the codecs of now and how many more there are; refused: reason and detail; counted: why there is nothing to store.
    """

    stream: str
    seq: int
    time: datetime
    protocol: str
    kind: str
    f_port: int | None
    f_cnt: int | None
    by_radio: bool
    payload: bytes
    size: int
    values: list[RawValue]
    more: int
    refused: list[tuple[str, str]]
    counted: str


class FramesTold(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to rpc.uplinks.frames, the newest frame first. whole = false: not all could be looked at in time."""

    ok: bool
    error: str = ""
    whole: bool = True
    frames: list[RawFrame] = []


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The device part of a proposal: how it is known on the wire and which profile decodes it."""

    external_id: str
    protocol: str
    profile: str
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One object that another room proposes to the registry; key is its natural key in the source system.

    tags, address and life_cycle stay as they are where the proposal does not name them; the life cycle is the device's
    where there is one.
    """

    key: str
    cls: str = msgspec.field(name="class")
    name_ru: str
    name_en: str
    service: str | None = None
    org: str | None = None
    parent: str | None = None
    lon: float | None = None
    lat: float | None = None
    geometry: dict[str, Any] | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    device: DeviceSpec | None = None
    tags: list[str] | None = None
    address: str | None = None
    life_cycle: str | None = None


class ProposalRequest(msgspec.Struct, frozen=True):
    """Body of rpc.registry.propose: at most 500 objects, parents before children; profiles by name.

    codecs: scripts in JavaScript by the name of their profile. tokens: external id of a proposed device -> SHA-256
    of the token that it was made with; it counts for a device that never had a credential.
    """

    source: str
    objects: list[Proposal]
    profiles: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    codecs: dict[str, str] = msgspec.field(default_factory=dict)
    tokens: dict[str, bytes] = msgspec.field(default_factory=dict)


class CodecTry(msgspec.Struct, frozen=True, kw_only=True):
    """Body of rpc.codec.try: run a script once. payload for decoding, data for encoding; nothing is stored.

    profile: whose map says what texts stand for.
    """

    source: str
    entry: Literal["decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "uplink"] = "uplink"
    payload: bytes = b""
    f_port: int = 1
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    time: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    profile: str = ""


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """What a value of a decoded output may be: value in unit (UCUM). how: unit, state or guessed."""

    path: str
    quantity: str
    channel: str
    unit: str
    value: float
    how: str


class CodecTried(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to rpc.codec.try. kind says why there is no output: load, threw, time, memory, large or killed.

    values: numbers by dotted key, as a profile maps them; words: texts that some of them were; refused: key -> reason;
    output: JSON of all it returned; measures: what names and units say the values are, for the map of a profile.
    """

    ok: bool
    kind: str = ""
    error: str = ""
    values: dict[str, float] = msgspec.field(default_factory=dict)
    words: dict[str, str] = msgspec.field(default_factory=dict)
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)
    errors: list[str] = msgspec.field(default_factory=list)
    output: str = ""
    measures: list[Proposed] = msgspec.field(default_factory=list)


class Reply(msgspec.Struct, frozen=True):
    """Answer to any rpc.* request."""

    ok: bool
    applied: int = 0
    error: str = ""


class LiveNewest(msgspec.Struct, frozen=True):
    """Core subject live.newest after a commit: columns of equal length; time in us since 1970, change orders."""

    series: list[int]
    time: list[int]
    value: list[float]
    change: list[int]


class LiveChanged(msgspec.Struct, frozen=True):
    """Core subjects live.condition, live.incident, live.command, live.receipt: ids whose rows changed."""

    ids: list[str]


class PartStats(msgspec.Struct, frozen=True):
    """Core subject stats.<part>, once a second: counters since start, gauges now."""

    part: str
    pid: int
    active: bool
    counters: dict[str, int]
    gauges: dict[str, float]
