"""Integration events of ChirpStack as protobuf, and downlinks for one that wants them so."""

from functools import cache
from typing import Any

from citynet.errors import BadInput
from gateway.chirpstack import radio
from gateway.chirpstack.forms import DeviceInfo, Event, Place, Read

# Plain fields that a protobuf event hands over as they are.
FIELDS: dict[str, tuple[str, ...]] = {
    "up": ("dev_addr", "f_cnt", "f_port", "data", "dr"),
    "join": ("dev_addr",),
    "ack": ("queue_item_id", "acknowledged"),
    "txack": ("queue_item_id", "gateway_id"),
    "log": ("description",),
    "status": ("margin", "battery_level"),
    "location": (),
}


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


def read(kind: str, payload: bytes, depth_max: int) -> Read:
    """The event called kind and its decoded object. Raises BadInput."""
    if kind not in FIELDS:
        return Event(), None
    message = _message(kind, payload)
    event = Event(DeviceInfo(message.device_info.dev_eui), _time(message))
    for name in FIELDS[kind]:
        setattr(event, name, getattr(message, name))
    if kind == "log":
        event.code, event.context = _code(message), dict(message.context)
    elif kind == "location" and message.HasField("location"):
        at = message.location
        event.location = Place(at.latitude, at.longitude, altitude=at.altitude, accuracy=at.accuracy)
    elif kind == "up":
        event.rx_info, event.tx_info = radio.of_protobuf(message)
        if message.HasField("join_server_context"):
            event.join_server_context = {}
        if message.HasField("object"):
            return event, _struct(message.object, depth_max)
    return event, None


def _message(kind: str, payload: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        message = _messages()[kind].FromString(payload)
    except DecodeError as error:
        raise BadInput("not_protobuf", str(error)) from error
    if not message.device_info.dev_eui:
        raise BadInput("not_protobuf", "the event names no device")  # unknown bytes may well pass for a message
    return message


def sender(kind: str, payload: bytes) -> tuple[str, str]:
    """Application and device of any event. Raises BadInput."""
    if kind not in FIELDS:
        raise BadInput("wrong_shape", f"{kind} is read as JSON only")
    told = _message(kind, payload).device_info
    return str(told.application_id), str(told.dev_eui)


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


def downlink(body: dict[str, Any]) -> bytes:
    """A DownlinkCommand as protobuf, from the same words as its JSON."""
    from chirpstack_api import integration

    command = integration.DownlinkCommand(
        id=str(body["id"]),
        dev_eui=body["devEui"],
        confirmed=body["confirmed"],
        f_port=body["fPort"],
        data=body["data"],
    )
    command.expires_at.FromDatetime(body["expiresAt"])
    return bytes(command.SerializeToString())
