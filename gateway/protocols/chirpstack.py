"""ChirpStack v4 MQTT integration, JSON or protobuf: application/<app>/device/<eui>/event/<event>, command/down."""

import uuid
from typing import Any

import msgspec

from citynet.errors import BadInput
from citynet.model import ReceiptKind
from citynet.settings import Settings
from gateway import lenient
from gateway.chirpstack import protobuf, radio
from gateway.chirpstack.events import read
from gateway.chirpstack.forms import Event
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

# Codes of a log event that end a downlink.
DROPPED: dict[str | int, ReceiptKind] = {
    "EXPIRED": "expired",
    "DOWNLINK_PAYLOAD_SIZE": "failed",
    "DOWNLINK_CODEC": "failed",
    "F_CNT_DOWN": "failed",
}


def _up(event: Event, decoded: Any, limits: Settings) -> Parsed:
    parsed = _values(event, decoded, limits)
    parsed.reception = radio.reception(event)
    return parsed


def _values(event: Event, decoded: Any, limits: Settings) -> Parsed:
    if not event.f_port:
        return Parsed(counted="mac_only")
    if event.join_server_context is not None:
        raise BadInput("encrypted", "the join server keeps the key of this device")
    repeat = (event.dev_addr, event.f_cnt, event.data, event.f_port)
    time = moment_us(event.time)
    if decoded:
        values, bad = lenient.numbers(decoded)
        if len(values) + len(bad) > limits.values_per_uplink:
            raise BadInput("too_many_values", f"more than {limits.values_per_uplink}")
        spare = Radio(time, event.f_port, event.data) if event.data else None
        return Parsed(samples=[Sample(time, values)], bad=bad, repeat=repeat, spare=spare, replaced=1)
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
    # A battery level of 0 stands for outside power and for not known: LoRaWAN itself cannot report an empty one.
    battery = {"batteryLevel": event.battery_level} if event.battery_level else {}
    return Parsed(samples=[Sample(moment_us(event.time), {"margin": event.margin, **battery})])


def _location(event: Event) -> Parsed:
    if event.location is None:
        return Parsed(counted="other_events")
    return Parsed(samples=[Sample(moment_us(event.time), msgspec.structs.asdict(event.location))])


def _parsed(kind: str, event: Event, decoded: Any, *, limits: Settings) -> Parsed:
    match kind:
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
        case "location":
            return _location(event)
        case "join":
            return Parsed(joined=True, counted="joins")
    return Parsed(counted="other_events")


class ChirpStack:
    """See module."""

    def parse(self, tokens: list[str], payload: bytes, limits: Settings) -> Parsed:
        """See Speaks. tokens end with application and event."""
        event, decoded = read(tokens[-1], payload, limits.json_depth)
        told = event.device_info.dev_eui
        if told and told.lower() != device_id(tokens[2]).lower():
            raise BadInput("foreign_identity", f"the topic says {tokens[2]}, the event {told[:40]!r}")
        parsed = _parsed(tokens[-1], event, decoded, limits=limits)
        parsed.application = device_id(tokens[-2])
        return parsed

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
        marshal = protobuf.downlink if order.marshaler == "protobuf" else msgspec.json.encode
        return Downlink(f"{place}.command.down", marshal(body), radio_bytes=len(data))


PROTOCOLS.register("chirpstack")(ChirpStack())
