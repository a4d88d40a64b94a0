"""Webhooks of network servers -> the frames that their MQTT topics would bring. Pure; used by app.py."""

from typing import Any

from citynet.errors import BadInput, Forbidden
from citynet.settings import Settings
from gateway import lenient
from gateway.chirpstack import protobuf
from gateway.chirpstack.events import is_protobuf
from gateway.protocols.http_push.intake import Out
from gateway.qos0 import partition
from gateway.wire import subject_token

# Which field of a Things Stack message stands for which topic.
THINGS_STACK = {
    "uplink_message": "up",
    "uplink_normalized": "up.normalized",
    "join_accept": "join",
    "downlink_queued": "down.queued",
    "downlink_sent": "down.sent",
    "downlink_ack": "down.ack",
    "downlink_nack": "down.nack",
    "downlink_failed": "down.failed",
    "downlink_queue_invalidated": "down.invalidated",
    "location_solved": "location.solved",
    "service_data": "service.data",
}
CHIRPSTACK = {"up", "join", "ack", "txack", "log", "status", "location", "integration"}


def things_stack(data: bytes, *, application: str, limits: Settings) -> Out:
    """The frame of a webhook. Raises BadInput, Forbidden for another application."""
    document = _document(data, limits)
    ids = _inside(document, "end_device_ids")
    told = str(_inside(ids, "application_ids").get("application_id") or "")
    if told not in (application, application.partition("@")[0]):
        raise Forbidden(f"this token speaks for {application}, the message comes from {told[:80]!r}")
    event = next((event for field_, event in THINGS_STACK.items() if field_ in document), "")
    if not event:
        raise BadInput("wrong_shape", "no message of The Things Stack: none of uplink_message, join_accept ..")
    return _network_frame(ids.get("device_id"), f"things_stack.{subject_token(application)}.{event}", data)


def chirpstack(data: bytes, event: str, *, application: str, limits: Settings) -> Out:
    """The frame of an event of ChirpStack's HTTP integration. Raises BadInput, Forbidden for another application."""
    if event not in CHIRPSTACK:
        raise BadInput("wrong_shape", f"?event={event[:40]}: none of {', '.join(sorted(CHIRPSTACK))}")
    told, device = _chirpstack_sender(data, event, limits)
    if told != application:
        raise Forbidden(f"this token speaks for {application}, the event comes from {told[:80]!r}")
    return _network_frame(device, f"chirpstack.{subject_token(application)}.{event}", data)


def _chirpstack_sender(data: bytes, event: str, limits: Settings) -> tuple[str, object]:
    """Application and device, in either encoding of the integration."""
    _fits(data, limits)
    if is_protobuf(data):
        return protobuf.sender(event, data)
    device = _inside(_document(data, limits), "deviceInfo")
    return str(device.get("applicationId") or ""), device.get("devEui")


def _network_frame(device: object, tail: str, data: bytes) -> Out:
    if not isinstance(device, str) or not device:
        raise BadInput("wrong_shape", "the message names no device")
    token = subject_token(device)
    return Out(device, f"up.{partition(token)}.{token}.{tail}", data)


def _document(data: bytes, limits: Settings) -> dict[str, Any]:
    _fits(data, limits)
    document = lenient.parse(data, limits.json_depth)
    if not isinstance(document, dict):
        raise BadInput("wrong_shape", "not an object")
    return document


def _fits(data: bytes, limits: Settings) -> None:
    if len(data) > limits.payload_bytes:
        raise BadInput("too_large", f"{len(data)} bytes, a message may have {limits.payload_bytes}")


def _inside(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
