"""Integration events of ChirpStack v4, read from JSON or protobuf into one form for gateway/protocols/chirpstack.py."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from citynet.errors import BadInput
from gateway import lenient


class DeviceInfo(msgspec.Struct, rename="camel"):
    """Who sent it."""

    dev_eui: str = ""


class Place(msgspec.Struct):
    """Where the network believes the device to be: degrees of WGS 84, metres."""

    latitude: float = 0.0
    longitude: float = 0.0
    altitude: float = 0.0
    accuracy: float = 0.0


class Event(msgspec.Struct, rename="camel"):
    """The fields that we read, of any event; proto3 may leave out what is 0, false or empty."""

    device_info: DeviceInfo = msgspec.field(default_factory=DeviceInfo)
    time: str | None = None
    dev_addr: str = ""
    f_cnt: int = 0
    f_port: int = 0
    data: bytes = b""
    object: msgspec.Raw = msgspec.Raw(b"")  # in a union with None msgspec takes nothing but null
    queue_item_id: str = ""
    acknowledged: bool = False
    gateway_id: str = ""
    code: str | int = ""
    description: str = ""
    context: dict[str, str] = {}
    battery_level: float = 0.0
    margin: float = 0.0
    location: Place | None = None
    join_server_context: dict[str, Any] | None = None


Read = tuple[Event, Any]
T = TypeVar("T")
FAST = msgspec.json.Decoder(Event)
NUMBERS = msgspec.json.Decoder(dict[str, float])
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
SPACE = b" \t\r\n"
# Plain fields that a protobuf event hands over as they are.
FIELDS: dict[str, tuple[str, ...]] = {
    "up": ("dev_addr", "f_cnt", "f_port", "data"),
    "join": ("dev_addr",),
    "ack": ("queue_item_id", "acknowledged"),
    "txack": ("queue_item_id", "gateway_id"),
    "log": ("description",),
    "status": ("margin", "battery_level"),
    "location": (),
}


def read(kind: str, payload: bytes, depth_max: int) -> Read:
    """The event called kind and its decoded object, None where it has none. Raises BadInput."""
    return _from_protobuf(kind, payload, depth_max) if is_protobuf(payload) else _from_json(payload, depth_max)


def is_protobuf(payload: bytes) -> bool:
    """Which of the two marshalers of ChirpStack wrote this.

    The tags of all first fields lie below 0x20. JSON text begins with such a byte only where it is white space.
    """
    return payload[:1] < b" " and payload.lstrip(SPACE)[:1] not in (b"{", b"[", b"")


def _tried(work: Callable[[], T]) -> T:
    try:
        return work()
    except NOT_JSON as error:
        raise BadInput("wrong_shape", str(error)) from error


def _from_json(payload: bytes, depth_max: int) -> Read:
    """What msgspec refuses as a whole, such as one NaN, is read the slow way."""
    try:
        event = FAST.decode(payload)
    except NOT_JSON:
        document = lenient.parse(payload, depth_max)
        if not isinstance(document, dict):
            raise BadInput("wrong_shape", "not an object") from None
        decoded = document.pop("object", None)
        return _tried(lambda: msgspec.convert(document, Event)), decoded
    raw = bytes(event.object)
    if not raw or raw == b"null":
        return event, None
    try:
        plain = NUMBERS.decode(raw)
    except NOT_JSON:
        return event, lenient.parse(raw, depth_max)
    # One colon a key, as in native_mqtt: more of them may hide a key that occurs twice.
    return event, plain if raw.count(b":") == len(plain) else lenient.parse(raw, depth_max)


@cache
def _messages() -> dict[str, Any]:
    # Not at the top: a city whose ChirpStack speaks JSON needs neither protobuf nor gRPC in memory.
    from chirpstack_api import integration

    return {
        "up": integration.UplinkEvent,
        "join": integration.JoinEvent,
        "ack": integration.AckEvent,
        "txack": integration.TxAckEvent,
        "log": integration.LogEvent,
        "status": integration.StatusEvent,
        "location": integration.LocationEvent,
    }


def _from_protobuf(kind: str, payload: bytes, depth_max: int) -> Read:
    if kind not in FIELDS:
        return Event(), None
    from google.protobuf.message import DecodeError

    try:
        message = _messages()[kind].FromString(payload)
    except DecodeError as error:
        raise BadInput("not_protobuf", str(error)) from error
    if not message.device_info.dev_eui:
        raise BadInput("not_protobuf", "the event names no device")  # unknown bytes may well pass for a message
    event = Event(DeviceInfo(message.device_info.dev_eui), _time(message))
    for name in FIELDS[kind]:
        setattr(event, name, getattr(message, name))
    if kind == "log":
        event.code, event.context = _code(message), dict(message.context)
    elif kind == "location" and message.HasField("location"):
        at = message.location
        event.location = Place(at.latitude, at.longitude, altitude=at.altitude, accuracy=at.accuracy)
    elif kind == "up":
        if message.HasField("join_server_context"):
            event.join_server_context = {}
        if message.HasField("object"):
            return event, _struct(message.object, depth_max)
    return event, None


def _time(message: Any) -> str | None:
    try:
        return str(message.time.ToJsonString()) if message.HasField("time") else None
    except ValueError as error:
        raise BadInput("bad_time", str(error)) from error


def _code(message: Any) -> str:
    known = message.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_number.get(message.code)
    return known.name if known else str(message.code)


def _struct(struct: Any, depth_left: int) -> dict[str, Any]:
    return {key: _value(value, depth_left) for key, value in struct.fields.items()}


def _value(value: Any, depth_left: int) -> Any:
    # By hand: json_format refuses NaN and infinity as a whole, and each value must be judged alone.
    if depth_left < 1:
        raise BadInput("too_deep", "the object of the event")
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return _struct(value.struct_value, depth_left - 1)
        case "list_value":
            return [_value(one, depth_left - 1) for one in value.list_value.values]
    return None
