"""Request bodies -> frames for the streams, checked as far as their sender can mend them. Pure; used by app.py."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from citynet.errors import BadInput
from citynet.settings import Settings
from gateway import lenient, senml
from gateway.protocols.http_push.problems import Refused
from gateway.qos0 import partition
from gateway.wire import Bad, protocols, subject_token

JSON, SENML, NDJSON = "application/json", "application/senml+json", "application/x-ndjson"
MEDIA = {"": JSON, JSON: JSON, SENML: SENML, NDJSON: NDJSON, "application/ndjson": NDJSON, "application/jsonl": NDJSON}
REFUSED_SHOWN = 20


class Out(NamedTuple):
    """A frame to store."""

    device: str
    subject: str
    data: bytes


@dataclass
class Batch:
    """Frames of a request in their order, and values of them that will be set aside."""

    frames: list[Out] = field(default_factory=list)
    refused: list[Bad] = field(default_factory=list)


class Named(msgspec.Struct):
    """A message that names its device."""

    device: str = ""


NAMED = msgspec.json.Decoder(Named)
ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def media(content_type: str) -> str:
    """The kind of body. Raises Refused (415)."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        return MEDIA[kind]
    except KeyError:
        raise Refused(415, "wrong_media", f"{kind[:80]} is none of {', '.join(sorted(set(MEDIA.values())))}") from None


def native(device: str, kind: str, data: bytes, *, lane: str, limits: Settings) -> Batch:
    """Frames of one device: a message or an array of moments is one, of NDJSON each line. Raises BadInput."""
    batch = Batch()
    if kind == SENML and not senml.is_pack(lenient.parse(data, limits.json_depth)):
        raise BadInput("wrong_shape", "not a SenML pack: an array of records with bn, n, v ..")
    for number, piece in enumerate(_lines(data, limits) if kind == NDJSON else [data]):
        _add(batch, device, piece, lane=lane, number=number if kind == NDJSON else None, limits=limits)
    return batch


def mixed(kind: str, data: bytes, *, lane: str, own: str, limits: Settings) -> Batch:
    """Frames of several devices, each with its `device` or else the caller's own. Raises BadInput, Refused."""
    if kind == SENML:
        raise Refused(415, "wrong_media", "a SenML pack belongs to one device: /v1/devices/<id>/up")
    batch = Batch()
    for number, piece in enumerate(_lines(data, limits) if kind == NDJSON else _items(data, limits)):
        try:
            named = NAMED.decode(piece).device
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput("not_json", f"message {number}: {error}") from error
        _add(batch, named or own, piece, lane=lane, number=number, limits=limits)
    return batch


def _add(batch: Batch, device: str, data: bytes, *, lane: str, number: int | None, limits: Settings) -> None:
    """Add a frame; an error names the place in the batch."""
    try:
        if len(data) > limits.payload_bytes:
            raise BadInput("too_large", f"{len(data)} bytes, a message may have {limits.payload_bytes}")
        token = subject_token(device)
        tokens = ["hist" if lane == "history" else "up", str(partition(token)), token, "native", lane]
        parsed = protocols()["native"].parse(tokens, data, limits)
        if parsed.bad and not parsed.samples and not parsed.answers:
            raise BadInput(parsed.bad[0].reason, parsed.bad[0].detail)
    except BadInput as error:
        place = "" if number is None else f"message {number}: "
        raise BadInput(error.reason, f"{place}{error.detail or error.reason}") from error
    batch.frames.append(Out(device, ".".join(tokens), data))
    batch.refused += parsed.bad[: REFUSED_SHOWN - len(batch.refused)]


def _lines(data: bytes, limits: Settings) -> Iterator[bytes]:
    lines = [line for line in data.split(b"\n") if line.strip()]
    return iter(_counted(lines, limits))


def _items(data: bytes, limits: Settings) -> Iterator[bytes]:
    try:
        items = [bytes(raw) for raw in ITEMS.decode(data)]
    except msgspec.ValidationError as error:
        raise BadInput("wrong_shape", "not an array of messages") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("not_json", str(error)) from error
    return iter(_counted(items, limits))


def _counted(pieces: list[bytes], limits: Settings) -> list[bytes]:
    if not pieces:
        raise BadInput("no_values", "an empty batch")
    if len(pieces) > limits.push_batch_messages:
        raise BadInput("too_large", f"{len(pieces)} messages, a batch may have {limits.push_batch_messages}")
    return pieces
