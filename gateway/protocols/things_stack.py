"""The Things Stack v3, JSON by MQTT or webhook: v3/<app>/devices/<id>/up, join, down/..; downlinks on down/push."""

import uuid
from typing import Any

import msgspec

from citynet.errors import BadInput
from citynet.model import ReceiptKind
from citynet.settings import Settings
from gateway import lenient
from gateway.things_stack import radio
from gateway.wire import (
    PROTOCOLS,
    Answer,
    Bad,
    Downlink,
    Order,
    Parsed,
    Radio,
    Sample,
    device_id,
    moment_us,
    subject_token,
)

# Our mark among the correlation ids of a downlink, which all its events carry.
MARK = "citynet:"
# And until when it is worth handing over; The Things Stack itself knows no deadline.
DEADLINE = "citynet-until:"
# Keys of the normalised payload, apart from those that the codec chose.
NORMALIZED = "normalized."


class Application(msgspec.Struct):
    """Which application."""

    application_id: str = ""


class Ids(msgspec.Struct):
    """Who sent it."""

    device_id: str = ""
    dev_addr: str = ""
    application_ids: Application = msgspec.field(default_factory=Application)


class Battery(msgspec.Struct):
    """Last answer to DevStatusReq, repeated with every uplink; value in % is a wrapper: absent = not known."""

    value: float | None = None
    received_at: str | None = None


class Uplink(msgspec.Struct):
    """uplink_message, and uplink_normalized with one measurement instead of a list."""

    session_key_id: str = ""
    f_port: int = 0
    f_cnt: int = 0
    frm_payload: bytes = b""
    decoded_payload: msgspec.Raw | None = None
    normalized_payload: msgspec.Raw | None = None
    received_at: str | None = None
    last_battery_percentage: Battery | None = None
    app_s_key: dict[str, Any] | None = None
    # Read apart: what a gateway writes wrongly must not cost the values of the frame.
    rx_metadata: msgspec.Raw | None = None
    settings: msgspec.Raw | None = None


class Down(msgspec.Struct):
    """A downlink in the events about it."""

    correlation_ids: list[str] = []


class Fault(msgspec.Struct):
    """Why a downlink failed."""

    namespace: str = ""
    name: str = ""


class Failed(msgspec.Struct):
    """downlink_failed."""

    downlink: Down = msgspec.field(default_factory=Down)
    error: Fault = msgspec.field(default_factory=Fault)


class Place(msgspec.Struct):
    """Degrees and metres; on the equator and the prime meridian they are left out."""

    latitude: float = 0.0
    longitude: float = 0.0
    altitude: float = 0.0
    accuracy: float = 0.0


class Solved(msgspec.Struct):
    """location_solved."""

    location: Place = msgspec.field(default_factory=Place)


class Service(msgspec.Struct):
    """service_data: what an application package says beside the uplink."""

    service: str = ""
    data: msgspec.Raw | None = None


class Message(msgspec.Struct):
    """ApplicationUp: one of the last eleven is there. What is 0, false or empty is left out, and restored here."""

    end_device_ids: Ids = msgspec.field(default_factory=Ids)
    received_at: str | None = None
    simulated: bool = False
    uplink_message: Uplink | None = None
    uplink_normalized: Uplink | None = None
    join_accept: dict[str, Any] | None = None
    downlink_queued: Down | None = None
    downlink_sent: Down | None = None
    downlink_ack: Down | None = None
    downlink_nack: Down | None = None
    downlink_failed: Failed | None = None
    location_solved: Solved | None = None
    service_data: Service | None = None


MESSAGE = msgspec.json.Decoder(Message)
NUMBERS = msgspec.json.Decoder(dict[str, float])
# nack: no acknowledgement was heard, the device may have obeyed all the same, and the stack tries again.
TOLD: dict[str, tuple[ReceiptKind, str]] = {
    "downlink_queued": ("queued", ""),
    "downlink_sent": ("radiated", ""),
    "downlink_ack": ("acknowledged", ""),
    "downlink_nack": ("unknown", "no acknowledgement from the device"),
}


# Written by codecs: a NaN or a repeated key in one of them must not cost its neighbours.
FREE = ("decoded_payload", "normalized_payload", "data")
RADIO = ("rx_metadata", "settings")


def read(payload: bytes, limits: Settings) -> tuple[Message, dict[str, Any]]:
    """The message and what codecs wrote in it; what msgspec refuses as a whole, read the slow way. Raises BadInput."""
    try:
        message = MESSAGE.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _slowly(payload, limits)
    inner = message.uplink_message or message.uplink_normalized or message.service_data
    raw = {part: getattr(inner, part, None) for part in FREE}
    return message, {part: _fast(bytes(told), limits) for part, told in raw.items() if told is not None}


def _slowly(payload: bytes, limits: Settings) -> tuple[Message, dict[str, Any]]:
    document = lenient.parse(payload, limits.json_depth)
    if not isinstance(document, dict):
        raise BadInput("wrong_shape", "not an object")
    free: dict[str, Any] = {}
    radio: dict[str, Any] = {}
    for inner in (document.get(name) for name in ("service_data", "uplink_normalized", "uplink_message")):
        if isinstance(inner, dict):
            free |= {part: inner.pop(part) for part in FREE if part in inner}
            radio |= {part: inner.pop(part) for part in RADIO if part in inner}
    try:
        message = msgspec.convert(document, Message)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadInput("wrong_shape", str(error)) from error
    for part, told in radio.items() if message.uplink_message else ():
        setattr(message.uplink_message, part, msgspec.Raw(msgspec.json.encode(told)))
    return message, free


def _fast(raw: bytes, limits: Settings) -> Any:
    """Numbers of a flat object, else the whole document; one colon a key, more may hide one that occurs twice."""
    try:
        plain = NUMBERS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return lenient.parse(raw, limits.json_depth)
    return plain if raw.count(b":") == len(plain) else lenient.parse(raw, limits.json_depth)


def _uplink(message: Message, uplink: Uplink, free: dict[str, Any]) -> Parsed:
    heard = radio.reception(
        message.end_device_ids.dev_addr, uplink.f_cnt, metadata=uplink.rx_metadata, settings=uplink.settings
    )
    if not uplink.f_port:
        return Parsed(counted="mac_only", reception=heard)
    # The network server's clock: those of gateways, in rx_metadata and settings, may be off by any amount.
    time = moment_us(uplink.received_at or message.received_at)
    session = uplink.session_key_id or message.end_device_ids.dev_addr
    parsed = Parsed(repeat=(session, uplink.f_cnt, uplink.frm_payload, uplink.f_port), reception=heard)
    if free.get("decoded_payload"):
        _add(parsed, time, free["decoded_payload"])
        _normalized(parsed, time, free.get("normalized_payload"))
        if uplink.frm_payload:
            parsed.spare, parsed.replaced = Radio(time, uplink.f_port, uplink.frm_payload), len(parsed.samples)
    elif uplink.app_s_key:
        raise BadInput("encrypted", "the application skips payload crypto")
    elif uplink.frm_payload:
        parsed.radio = Radio(time, uplink.f_port, uplink.frm_payload)
    else:
        parsed.counted = "empty"
    battery = uplink.last_battery_percentage
    if battery and battery.value is not None:
        _add(parsed, moment_us(battery.received_at), {"last_battery_percentage": battery.value})
    return parsed


def _add(parsed: Parsed, time: int | None, values: object, *, prefix: str = "") -> None:
    good, bad = lenient.numbers(values)
    if prefix:
        good = {prefix + key: value for key, value in good.items()}
        bad = [one._replace(key=prefix + one.key) for one in bad]
    parsed.bad += bad
    if good:
        parsed.samples.append(Sample(time, good))


def _normalized(parsed: Parsed, time: int | None, told: Any) -> None:
    """Measurements by The Things Stack's schema, units and all; each may have a time of its own."""
    for one in told if isinstance(told, list) else [told] if told else []:
        own = time
        try:
            if isinstance(one, dict) and "time" in one:
                own = moment_us(one.pop("time"))
            _add(parsed, own, one, prefix=NORMALIZED)
        except BadInput as error:  # this measurement only
            parsed.bad.append(Bad(error.reason, detail=error.detail))


def _answer(down: Down, kind: ReceiptKind, detail: str) -> Parsed:
    for told in down.correlation_ids:
        if told.startswith(MARK):
            try:
                return Parsed(answers=[Answer(uuid.UUID(told.removeprefix(MARK)), kind, detail[:200])])
            except ValueError:
                continue
    return Parsed(counted="foreign_answers")  # a downlink that somebody else asked for


def _event(message: Message, free: dict[str, Any]) -> Parsed:
    """Whatever is no uplink."""
    for name, (kind, detail) in TOLD.items():
        down = getattr(message, name)
        if down is not None:
            return _answer(down, kind, detail)
    if message.downlink_failed is not None:
        failed = message.downlink_failed
        return _answer(failed.downlink, "failed", f"{failed.error.namespace}:{failed.error.name}")
    if message.join_accept is not None:
        return Parsed(joined=True, counted="joins")
    parsed, time = Parsed(counted="other_events"), moment_us(message.received_at)
    if message.uplink_normalized is not None:
        time = moment_us(message.uplink_normalized.received_at) or time
        _normalized(parsed, time, free.get("normalized_payload"))
    elif message.location_solved is not None:
        _add(parsed, time, msgspec.to_builtins(message.location_solved.location), prefix="location.")
    elif message.service_data is not None:
        _add(parsed, time, free.get("data") or {}, prefix=f"{message.service_data.service}.")
    return parsed


def _same(message: Message, tokens: list[str]) -> str:
    """The application of the topic. Raises BadInput when the message names another one or another device."""
    ids, device, application = message.end_device_ids, device_id(tokens[2]), device_id(tokens[4])
    if ids.device_id not in ("", device):
        raise BadInput("foreign_identity", f"the topic says {device}, the message {ids.device_id[:40]!r}")
    told = ids.application_ids.application_id
    if told not in ("", application, application.partition("@")[0]):
        raise BadInput("foreign_identity", f"the topic says {application}, the message {told[:40]!r}")
    return application


class ThingsStack:
    """See module."""

    def parse(self, tokens: list[str], payload: bytes, limits: Settings) -> Parsed:
        """See Speaks. tokens go on with the application and its event; the message itself says which one it is."""
        message, free = read(payload, limits)
        application = _same(message, tokens)
        if message.simulated:
            return Parsed(counted="simulated")  # typed into a console: nothing was measured
        if message.uplink_message is not None:
            parsed = _uplink(message, message.uplink_message, free)
        else:
            parsed = _event(message, free)
        if sum(len(sample.values) for sample in parsed.samples) + len(parsed.bad) > limits.values_per_uplink:
            raise BadInput("too_many_values", f"more than {limits.values_per_uplink}")
        parsed.application = application
        return parsed

    def encode_down(self, order: Order) -> Downlink:
        """See Speaks. Needs the device's attribute application_id, as in topics, and a codec that knows the action.

        The attribute downlink_queue = replace lets a command drop what still waits for the device.
        """
        command, codec = order.command, order.codec
        if codec is None or codec.encode is None:
            raise BadInput("no_codec", f"profile {command.profile} has no codec for commands")
        application = subject_token(str(command.attributes.get("application_id", "")))
        way = "replace" if command.attributes.get("downlink_queue") == "replace" else "push"
        f_port, data = codec.encode(command.action, command.args)
        downlink = {
            "f_port": f_port,
            "frm_payload": data,
            "priority": "NORMAL",
            "confirmed": True,
            "correlation_ids": [f"{MARK}{command.command_id}", f"{DEADLINE}{order.wall_deadline.isoformat()}"],
        }
        subject = f"v3.{application}.devices.{subject_token(command.external_id)}.down.{way}"
        return Downlink(subject, msgspec.json.encode({"downlinks": [downlink]}), radio_bytes=len(data))


PROTOCOLS.register("things_stack")(ThingsStack())
