"""Our own JSON and SenML over MQTT: devices/<id>/up, history, event, ack; orders on devices/<id>/down/command."""

import uuid

import msgspec

from citynet.errors import BadInput
from citynet.model import ReceiptKind
from citynet.settings import Settings
from gateway import lenient, senml
from gateway.wire import PROTOCOLS, Answer, Bad, Downlink, Order, Parsed, Sample, device_id, moment_us, subject_token


class Item(msgspec.Struct):
    """One moment: values by payload key, or a single name and value."""

    time: str | float | None = None
    values: dict[str, float] | None = None
    name: str | None = None
    value: float | None = None


class Response(msgspec.Struct):
    """What a device answers to a command."""

    command_id: uuid.UUID
    status: str
    detail: str = ""


FAST = msgspec.json.Decoder(Item | list[Item])
RESPONSE = msgspec.json.Decoder(Response)
STATUS: dict[str, ReceiptKind] = {"acknowledged": "acknowledged", "rejected": "rejected", "failed": "failed"}


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
        if item.time is not None:
            colons += 1 + (item.time.count(":") if isinstance(item.time, str) else 0)
        if item.values is not None:
            colons += 1 + len(item.values)
        if item.name is not None:
            colons += 1 + item.name.count(":")
        if item.value is not None:
            colons += 1
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


def _moments(document: list[object] | list[Item]) -> Parsed:
    parsed = Parsed()
    for item in document:
        try:
            parsed.samples.append(_fast_sample(item) if isinstance(item, Item) else _slow_sample(item, parsed.bad))
        except BadInput as error:  # of an array only this moment is lost
            parsed.bad.append(Bad(error.reason, detail=error.detail))
    return parsed


def _telemetry(device: str, payload: bytes, limits: Settings) -> Parsed:
    fast = _plain(payload)
    document = fast if fast is not None else lenient.parse(payload, limits.json_depth)
    items = document if isinstance(document, list) else [document]
    parsed = senml.parse(items, device) if senml.is_pack(document) else _moments(items)
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
        return Parsed(answers=[Answer(response.command_id, STATUS[response.status], response.detail[:200])])

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
