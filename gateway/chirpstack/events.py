"""Integration events of ChirpStack v4, read from JSON or protobuf into one form for gateway/protocols/chirpstack.py."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from citynet.errors import BadInput
from gateway import lenient
from gateway.chirpstack import protobuf
from gateway.chirpstack.forms import Event, Read

T = TypeVar("T")
FAST = msgspec.json.Decoder(Event)
NUMBERS = msgspec.json.Decoder(dict[str, float])
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
SPACE = b" \t\r\n"
RADIO = {"rx_info": "rxInfo", "tx_info": "txInfo"}


def read(kind: str, payload: bytes, depth_max: int) -> Read:
    """The event called kind and its decoded object, None where it has none. Raises BadInput."""
    if is_protobuf(payload):
        return protobuf.read(kind, payload, depth_max)
    return _from_json(payload, depth_max)


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
        radio = {name: document.pop(key) for name, key in RADIO.items() if key in document}
        event = _tried(lambda: msgspec.convert(document, Event))
        for name, told in radio.items():
            setattr(event, name, msgspec.Raw(msgspec.json.encode(told)))
        return event, decoded
    raw = bytes(event.object)
    if not raw or raw == b"null":
        return event, None
    try:
        plain = NUMBERS.decode(raw)
    except NOT_JSON:
        return event, lenient.parse(raw, depth_max)
    # One colon a key, as in native_mqtt: more of them may hide a key that occurs twice.
    return event, plain if raw.count(b":") == len(plain) else lenient.parse(raw, depth_max)
