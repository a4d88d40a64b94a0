"""Our own JSON and SenML over MQTT: devices/<id>/up, history, event, ack; orders on devices/<id>/down/command."""

import base64
import uuid

import msgspec

from citynet.errors import BadInput
from citynet.model import ReceiptKind
from citynet.settings import Settings
from gateway import lenient, senml
from gateway.wire import (
    PROTOCOLS,
    Answer,
    Bad,
    Downlink,
    Order,
    Parsed,
    Radio,
    ReadPlain,
    Sample,
    device_id,
    moment_us,
    subject_token,
)


class Item(msgspec.Struct):
    """One moment: values by payload key, a single name and value, or a raw telegram that the profile's codec reads.

    device may repeat who sends it.
    """

    device: str | None = None
    time: str | float | None = None
    values: dict[str, float] | None = None
    name: str | None = None
    value: float | None = None
    raw: str | None = None
    encoding: str | None = None
    f_port: int | None = None


class Response(msgspec.Struct):
    """What a device answers to a command."""

    command_id: uuid.UUID
    status: str
    detail: str = ""


FAST = msgspec.json.Decoder(Item | list[Item])
ONE = msgspec.json.Decoder(Item)
RESPONSE = msgspec.json.Decoder(Response)
# "done" is the device's word and no more: only telemetry confirms.
STATUS: dict[str, ReceiptKind] = {
    "acknowledged": "acknowledged",
    "accepted": "acknowledged",
    "done": "acknowledged",
    "rejected": "rejected",
    "failed": "failed",
}


def _one_moment(payload: bytes) -> tuple[int | None, dict[str, float]] | None:
    try:
        item = ONE.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    time, values = item.time, item.values
    if values is None or item.name is not None or item.value is not None or item.raw is not None:
        return None
    colons = 1 + len(values)
    if time is not None:
        colons += 1 + (time.count(":") if isinstance(time, str) else 0)
    if payload.count(b":") != colons:  # see _plain
        return None
    try:
        return moment_us(time), values
    except BadInput:
        return None


def _plain(payload: bytes) -> list[Item] | None:
    """Items of a frame of the documented form, None when the slow way must look at it.

    msgspec keeps the last of two equal keys. Each key brings one colon, so a count that is exact proves that no
    key occurred twice.
    """
    try:
        document = FAST.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    items = document if isinstance(document, list) else [document]
    colons = 0
    for item in items:
        if item.device is not None:
            colons += 1 + item.device.count(":")
        if item.time is not None:
            colons += 1 + (item.time.count(":") if isinstance(item.time, str) else 0)
        if item.values is not None:
            colons += 1 + len(item.values)
        if item.name is not None:
            colons += 1 + item.name.count(":")
        colons += sum(part is not None for part in (item.value, item.raw, item.encoding, item.f_port))
        colons += (item.raw or "").count(":") + (item.encoding or "").count(":")
    return items if colons == payload.count(b":") else None


def _fast_sample(item: Item) -> Sample:
    values = item.values
    if item.name is not None and item.value is not None:
        values = {**(values or {}), item.name: item.value}
    if values is None:
        raise BadInput("no_values", "neither values nor name and value")
    return Sample(moment_us(item.time), values)


def _slow_sample(item: object, bad: list[Bad]) -> Sample:
    if not isinstance(item, dict):
        raise BadInput("wrong_shape", "not an object")
    values = item.get("values", {} if "name" in item else None)
    if values is None:
        raise BadInput("no_values", "neither values nor name and value")
    good, wrong = lenient.numbers(values)
    if isinstance(item.get("name"), str):
        single, also_wrong = lenient.numbers({item["name"]: item.get("value")})
        good, wrong = {**good, **single}, wrong + also_wrong
    bad += wrong
    return Sample(moment_us(item.get("time")), good)


def _telegram(document: list[object] | list[Item]) -> Radio | None:
    """The raw telegram of a message that is one; bytes as hexadecimal, or base64 where encoding says so."""
    if len(document) != 1:
        return None
    item = document[0]
    if isinstance(item, dict) and "raw" in item:
        try:
            item = msgspec.convert(item, Item)
        except msgspec.ValidationError as error:
            raise BadInput("wrong_shape", str(error)) from error
    if not isinstance(item, Item) or item.raw is None:
        return None
    return Radio(moment_us(item.time), item.f_port or 0, _bytes(item.raw, item.encoding or "hex"))


def _bytes(text: str, encoding: str) -> bytes:
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        if encoding == "hex":
            return bytes.fromhex(text)
    except ValueError as error:
        raise BadInput("wrong_shape", f"raw is not {encoding}") from error
    raise BadInput("wrong_shape", "encoding is neither hex nor base64")


def _own(device: str, item: object) -> None:
    """Raise BadInput when an item names another device than the topic does."""
    named = item.device if isinstance(item, Item) else item.get("device") if isinstance(item, dict) else None
    if named not in (None, device):
        raise BadInput("foreign_identity", f"{device} sent as {named!r}"[:120])


def _moments(device: str, document: list[object] | list[Item]) -> Parsed:
    radio = _telegram(document)
    if radio is not None:
        _own(device, document[0])
        return Parsed(radio=radio)
    parsed = Parsed()
    for item in document:
        try:
            _own(device, item)
            parsed.samples.append(_fast_sample(item) if isinstance(item, Item) else _slow_sample(item, parsed.bad))
        except BadInput as error:  # of an array only this moment is lost
            parsed.bad.append(Bad(error.reason, detail=error.detail))
    return parsed


def _telemetry(device: str, payload: bytes, limits: Settings) -> Parsed:
    fast = _plain(payload)
    document = fast if fast is not None else lenient.parse(payload, limits.json_depth)
    items = document if isinstance(document, list) else [document]
    parsed = senml.parse(items, device) if senml.is_pack(document) else _moments(device, items)
    if sum(len(sample.values) for sample in parsed.samples) + len(parsed.bad) > limits.values_per_uplink:
        raise BadInput("too_many_values", f"more than {limits.values_per_uplink}")
    return parsed


class Native:
    """See module."""

    def parse(self, tokens: list[str], payload: bytes, limits: Settings) -> Parsed:
        """See Speaks."""
        if tokens[4] in ("up", "history") or b'"command_id"' not in payload:
            return _telemetry(device_id(tokens[2]), payload, limits)
        try:
            response = RESPONSE.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput("wrong_shape", str(error)) from error
        if response.status not in STATUS:
            raise BadInput("wrong_status", repr(response.status[:40]))
        kind = STATUS[response.status]
        detail = response.detail or (response.status if response.status != kind else "")
        return Parsed(answers=[Answer(response.command_id, kind, detail[:200])])

    def plain(self, tokens: list[str]) -> ReadPlain | None:
        """See SpeaksPlainly."""
        return _one_moment if tokens[4] in ("up", "history") else None

    def encode_down(self, order: Order) -> Downlink:
        """See Speaks."""
        command = order.command
        body = {
            "command_id": command.command_id,
            "action": command.action,
            "args": command.args,
            "deadline": command.deadline,
        }
        subject = f"devices.{subject_token(command.external_id)}.down.command"
        return Downlink(subject, msgspec.json.encode(body))


PROTOCOLS.register("native")(Native())
