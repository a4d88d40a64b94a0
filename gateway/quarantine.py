"""Why a frame or a value of it could not be used, and the notice of it that ingest stores."""

import asyncio

import msgspec

from citynet.bus import Bus, Frame
from citynet.model import Quarantined

SUBJECT = "dead.quarantine"
PAYLOAD_KEPT_BYTES = 262_144
IN_FLIGHT = 64

# Every reason with what it means; docs/how-to/devices.md shows the table. Reasons never change their sense.
REASONS = {
    "unknown_device": "no device of this identifier is registered",
    "unknown_protocol": "the subject names a protocol that is not installed",
    "wrong_protocol": "the device is registered for another protocol",
    "foreign_identity": "topic and payload name different devices",
    "foreign_command": "the answer concerns a command that was given to another device",
    "unknown_command": "the answer concerns a command that nobody gave",
    "bad_topic": "the topic has white space, * or >, which no subject can carry",
    "too_large": "the payload is larger than CITYNET_PAYLOAD_BYTES",
    "too_deep": "the JSON is nested deeper than CITYNET_JSON_DEPTH",
    "too_many_values": "more than CITYNET_VALUES_PER_UPLINK values in one frame",
    "not_utf8": "the payload is not UTF-8 text",
    "not_json": "the payload is not JSON",
    "not_protobuf": "neither JSON nor a protobuf message of ChirpStack",
    "encrypted": "the payload is still encrypted: let the network server have the application key",
    "wrong_shape": "JSON, but not what the protocol describes",
    "wrong_status": "an answer other than accepted, acknowledged, done, rejected or failed",
    "wrong_version": "a SenML pack of a version that is not understood",
    "must_understand": "SenML: a field that must be understood (its name ends with _) is not",
    "bad_name": "SenML: base name and name make no valid name",
    "wrong_unit": "SenML: the unit is in no table, or measures something else than the quantity of the profile",
    "wrong_type": "a value is neither a number nor true or false",
    "unknown_code": "a value whose meaning the profile does not say",
    "no_values": "neither values nor name and value",
    "duplicate_key": "a key occurs twice with its values: which one was meant?",
    "not_finite": "a value is NaN or infinite",
    "off_earth": "a latitude beyond 90 or a longitude beyond 180 degrees",
    "bad_time": "the time cannot be read, has no zone, or lies outside of 2000 to 2100",
    "conflict": "two different values of one series at one time",
    "no_series": "the registry has no series for this key of the device yet",
    "no_codec": "raw bytes, and the profile has neither a script nor a `language` that reads them",
    "codec_error": "the codec failed on this frame",
    "codec_refused": "the codec itself reports an error in this frame",
    "codec_timeout": "the codec took too long",
    "codec_memory": "the codec took too much memory",
    "codec_output": "the codec returned more than CITYNET_CODEC_OUTPUT_BYTES",
    "wrong_port": "the codec does not know this LoRaWAN port",
    "bad_crc": "a check sum of the telegram is wrong",
    "bad_frame": "the bytes are not framed as the standard says",
    "bad_record": "a record of the telegram is not of EN 13757-3",
    "bad_data": "the data of the telegram are not of the standard",
    "unsupported": "a form of the standard that is not read",
    "unknown_list": "values without codes, and the profile has no list of that length",
    "no_key": "the telegram is encrypted and the device has no key",
    "wrong_key": "the telegram does not open with the key of the device",
    "device_refused": "the device answered with an exception",
    "wrong_length": "the codec expects another number of bytes",
}


def clean(text: str, size: int = 200) -> str:
    """Text that any database and screen takes: what cannot be printed is written as its code."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:size])


def notice(frame: Frame, reason: str, *, detail: str = "", stream: str, external_id: str) -> Quarantined:
    """The notice of a frame. A larger payload than 256 kB is cut; the stream has all of it for 72 h."""
    return Quarantined(
        stage="gateway",
        reason=reason,
        detail=clean(detail),
        subject=clean(frame.subject),
        external_id=clean(external_id),
        stream=stream,
        stream_seq=frame.seq,
        payload=frame.data[:PAYLOAD_KEPT_BYTES],
        arrived_ns=frame.received_ns,
        replay_of=frame.replay_of,
    )


async def publish(bus: Bus, notices: list[Quarantined]) -> None:
    """Store notices; a frame that comes again within two minutes brings no second one. Raises Unavailable."""
    for start in range(0, len(notices), IN_FLIGHT):
        await asyncio.gather(*(_publish(bus, one) for one in notices[start : start + IN_FLIGHT]))


async def _publish(bus: Bus, one: Quarantined) -> None:
    msg_id = f"q-{one.stream}-{one.stream_seq}-{one.reason}"
    await bus.publish(SUBJECT, msgspec.json.encode(one), msg_id=msg_id)
