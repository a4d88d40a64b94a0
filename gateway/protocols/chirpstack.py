"""ChirpStack v4 MQTT integration, JSON: application/<app>/device/<eui>/event/<event>; downlinks on command/down."""

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from citynet.errors import BadInput
from citynet.model import ReceiptKind
from citynet.settings import Settings
from gateway import lenient
from gateway.wire import (
    PROTOCOLS,
    Answer,
    Downlink,
    Order,
    Parsed,
    Radio,
    Sample,
    device_id,
    moment_us,
    subject_token,
)


class DeviceInfo(msgspec.Struct, rename="camel"):
    """Who sent it."""

    dev_eui: str = ""


class Event(msgspec.Struct, rename="camel"):
    """The fields that we read, of any event; proto3 JSON leaves out what is 0, false or empty."""

    device_info: DeviceInfo = msgspec.field(default_factory=DeviceInfo)
    time: str | None = None
    dev_addr: str = ""
    f_cnt: int = 0
    f_port: int = 0
    data: bytes = b""
    object: msgspec.Raw | None = None
    queue_item_id: str = ""
    acknowledged: bool = False
    gateway_id: str = ""
    code: str = ""
    description: str = ""
    context: dict[str, str] = {}
    battery_level: float | None = None
    margin: float | None = None


T = TypeVar("T")
FAST = msgspec.json.Decoder(Event)
NUMBERS = msgspec.json.Decoder(dict[str, float])
# Codes of a log event that end a downlink.
DROPPED: dict[str, ReceiptKind] = {"EXPIRED": "expired", "DOWNLINK_PAYLOAD_SIZE": "failed", "DOWNLINK_CODEC": "failed"}


def _tried(work: Callable[[], T]) -> T:
    try:
        return work()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("wrong_shape", str(error)) from error


def _read(payload: bytes, limits: Settings) -> tuple[Event, Any]:
    """The event and its object. What msgspec refuses as a whole, such as one NaN, is read the slow way."""
    try:
        event = FAST.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = lenient.parse(payload, limits.json_depth)
        if not isinstance(document, dict):
            raise BadInput("wrong_shape", "not an object") from None
        decoded = document.pop("object", None)
        return _tried(lambda: msgspec.convert(document, Event)), decoded
    raw = bytes(event.object) if event.object is not None else b""
    if not raw or raw == b"null":
        return event, None
    try:
        plain = NUMBERS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return event, lenient.parse(raw, limits.json_depth)
    # One colon a key, as in native_mqtt: more of them may hide a key that occurs twice.
    return event, plain if raw.count(b":") == len(plain) else lenient.parse(raw, limits.json_depth)


def _up(event: Event, decoded: Any, limits: Settings) -> Parsed:
    if not event.f_port:
        return Parsed(counted="mac_only")
    repeat = (event.dev_addr, event.f_cnt, event.data, event.f_port)
    time = moment_us(event.time)
    if decoded:
        values, bad = lenient.numbers(decoded)
        if len(values) + len(bad) > limits.values_per_uplink:
            raise BadInput("too_many_values", f"more than {limits.values_per_uplink}")
        return Parsed(samples=[Sample(time, values)], bad=bad, repeat=repeat)
    if event.data:
        return Parsed(radio=Radio(time, event.f_port, event.data), repeat=repeat)
    return Parsed(counted="empty")


def _answer(item: str, kind: ReceiptKind, detail: str) -> Parsed:
    try:
        return Parsed(answers=[Answer(uuid.UUID(item), kind, detail[:200])])
    except ValueError:
        return Parsed(counted="foreign_answers")  # somebody else's queue item


def _ack(event: Event) -> Parsed:
    # Not acknowledged means that no answer was heard in time; the device may have obeyed all the same.
    kind: ReceiptKind = "acknowledged" if event.acknowledged else "unknown"
    return _answer(event.queue_item_id, kind, "" if event.acknowledged else "no acknowledgement from the device")


def _log(event: Event) -> Parsed:
    item = event.context.get("queue_item_id", "")
    if event.code in DROPPED and item:
        return _answer(item, DROPPED[event.code], f"{event.code}: {event.description}")
    return Parsed(counted="network_log")


def _status(event: Event) -> Parsed:
    told = {"batteryLevel": event.battery_level, "margin": event.margin}
    return Parsed(samples=[Sample(moment_us(event.time), {k: v for k, v in told.items() if v is not None})])


class ChirpStack:
    """See module."""

    def parse(self, tokens: list[str], payload: bytes, limits: Settings) -> Parsed:
        """See Speaks. tokens end with application and event."""
        event, decoded = _read(payload, limits)
        told = event.device_info.dev_eui
        if told and told.lower() != device_id(tokens[2]).lower():
            raise BadInput("foreign_identity", f"the topic says {tokens[2]}, the event {told[:40]!r}")
        match tokens[-1]:
            case "up":
                return _up(event, decoded, limits)
            case "txack":
                return _answer(event.queue_item_id, "radiated", event.gateway_id)
            case "ack":
                return _ack(event)
            case "log":
                return _log(event)
            case "status":
                return _status(event)
            case "join":
                return Parsed(joined=True, counted="joins")
        return Parsed(counted="other_events")

    def encode_down(self, order: Order) -> Downlink:
        """See Speaks. Needs the device's attribute application_id and a codec that knows the action."""
        command, codec = order.command, order.codec
        if codec is None or codec.encode is None:
            raise BadInput("no_codec", f"profile {command.profile} has no codec for commands")
        application = str(command.attributes.get("application_id", ""))
        f_port, data = codec.encode(command.action, command.args)
        body = {
            "id": command.command_id,
            "devEui": command.external_id,
            "confirmed": True,
            "fPort": f_port,
            "data": data,
            "expiresAt": order.wall_deadline,
        }
        place = f"application.{subject_token(application)}.device.{subject_token(command.external_id)}"
        return Downlink(f"{place}.command.down", msgspec.json.encode(body))


PROTOCOLS.register("chirpstack")(ChirpStack())
