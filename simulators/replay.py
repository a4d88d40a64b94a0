"""Plays recordings into the city: what is past through the history topics, the rest when its time comes."""

import asyncio
import base64
import contextlib
import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from citynet.clock import Clock
from citynet.errors import ConfigError
from citynet.settings import Settings
from simulators import chirpstack
from simulators.chirpstack import Heard
from simulators.ledger import Note
from simulators.physics.rhythm import Array
from simulators.tracks import RECORDED_GATEWAY, Track
from simulators.wires import Wires

HEARD = [Heard(RECORDED_GATEWAY, -97, 6.5)]


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one device at one time; missing ones are left out."""

    track: Track
    index: int
    second: int
    values: dict[str, float]


def rows(track: Track, start: int = 0, end: int | None = None) -> Iterator[Row]:
    """Rows that have at least one value."""
    columns: dict[str, Array] = track.values
    for index in range(start, len(track.times) if end is None else end):
        cells = {key: float(column[index]) for key, column in columns.items()}
        values = {key: value for key, value in cells.items() if np.isfinite(value)}
        if values:
            yield Row(track, index, int(track.times[index]), values)


async def wait_until(moment: float, clock: Clock, stopping: asyncio.Event) -> bool:
    """Waits until the city clock reaches moment (epoch seconds); False when stopping came first."""
    wait = (moment - clock.now().timestamp()) / clock.speed
    if wait > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), wait)
    return not stopping.is_set()


class Player:
    """Tracks on the wires of the field, timed by the city clock."""

    def __init__(self, tracks: list[Track], wires: Wires, clock: Clock, *, limits: Settings) -> None:
        self._tracks, self._wires, self.clock, self._limits = tracks, wires, clock, limits
        self._now = int(clock.now().timestamp())
        self._split = [int(np.searchsorted(track.times, self._now)) for track in tracks]
        self.sent = 0

    async def past(self) -> int:
        """Sends what lies before now; returns the number of values."""
        before = self.sent
        for track, split in zip(self._tracks, self._split, strict=True):
            for batch in _batches(rows(track, 0, split), self._limits.values_per_uplink):
                self._history(track, batch)
                await self._wires.room()
        await self._wires.drain(120.0)
        return self.sent - before

    async def live(self, stopping: asyncio.Event) -> None:
        """Sends each row when the city clock reaches it; ends after the last one."""
        ahead = [rows(track, split) for track, split in zip(self._tracks, self._split, strict=True)]
        for row in heapq.merge(*ahead, key=lambda row: row.second):
            if not await wait_until(row.second, self.clock, stopping):
                return
            self._send(row)
            await self._wires.room()

    def _send(self, row: Row) -> None:
        external_id = _external_id(row.track)
        note = Note(external_id, (row.second * 1_000_000,), tuple(row.values))
        self.sent += len(row.values)
        if _is_lora(row.track):
            self._uplink(row, note)
            return
        body = msgspec.json.encode({"time": row.second, "values": row.values})
        self._wires.of(external_id).publish(f"devices/{external_id}/up", body, note)

    def _uplink(self, row: Row, note: Note) -> None:
        device = row.track.proposal
        application = device.device.attributes["application_id"] if device.device else ""
        unique = chirpstack.dedup_id(note.external_id, row.second)
        body = chirpstack.uplink(device, float(row.second), row.values, f_cnt=row.index + 1, heard=HEARD, unique=unique)
        self._wires.radio.publish(chirpstack.topic(application, note.external_id, "up"), body, note)

    def _history(self, track: Track, batch: list[Row]) -> None:
        if _is_lora(track):  # a network server has no history topic; the gateway sorts by age
            for row in batch:
                self._send(row)
            return
        external_id, keys = _external_id(track), tuple(batch[0].values)
        note = Note(external_id, tuple(row.second * 1_000_000 for row in batch), keys, history=True)
        body = msgspec.json.encode([{"time": row.second, "values": row.values} for row in batch])
        self.sent += note.values
        self._wires.of(external_id).publish(f"devices/{external_id}/history", body, note)


def _external_id(track: Track) -> str:
    return track.proposal.device.external_id if track.proposal.device else ""


def _is_lora(track: Track) -> bool:
    return track.proposal.device is not None and track.proposal.device.protocol == "chirpstack"


def _batches(source: Iterator[Row], values_max: int) -> Iterator[list[Row]]:
    """Rows with the same keys together, within the limit of values of one message."""
    batch: list[Row] = []
    for row in source:
        if batch and (row.values.keys() != batch[0].values.keys() or (len(batch) + 1) * len(row.values) > values_max):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


# ---------------------------------------------------------------- recorded broker messages


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of an NDJSON recording: {"time", "topic", "payload" (JSON or text) or "payload_b64"}."""

    time: float
    topic: str
    payload: bytes


def read_messages(path: Path) -> list[Recorded]:
    """Messages of an NDJSON file in the order of their times. Raises ConfigError naming the line."""
    messages = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            fields = json.loads(line)
            messages.append(Recorded(_epoch(fields["time"]), str(fields["topic"]), _payload(fields)))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path.name}, line {number}: {type(error).__name__} {error}") from error
    if any(b.time < a.time for a, b in pairwise(messages)):
        messages.sort(key=lambda m: m.time)
    return messages


def _epoch(value: float | str) -> float:
    return float(value) if isinstance(value, int | float) else datetime.fromisoformat(value).timestamp()


def _payload(fields: dict[str, Any]) -> bytes:
    if "payload_b64" in fields:
        return base64.b64decode(fields["payload_b64"], validate=True)
    payload = fields["payload"]
    return payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)


async def play_messages(
    messages: list[Recorded], wires: Wires, clock: Clock, *, shift_s: float, stopping: asyncio.Event
) -> int:
    """Publishes recorded messages as they were, moved by shift_s; times inside JSON payloads move along."""
    sent = 0
    for message in messages:
        if not await wait_until(message.time + shift_s, clock, stopping):
            break
        wire = wires.radio if message.topic.startswith("application/") else wires.shared
        wire.publish(message.topic, shift_times(message.payload, shift_s), None)
        sent += 1
        await wires.room()
    return sent


def shift_times(payload: bytes, shift_s: float) -> bytes:
    """The payload with every field called time or nsTime moved; anything that is not JSON stays as it is."""
    if not shift_s:
        return payload
    try:
        body = json.loads(payload)
    except ValueError:
        return payload
    return msgspec.json.encode(_moved(body, shift_s))


def _moved(value: Any, shift_s: float, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _moved(inner, shift_s, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, shift_s, name) for inner in value]
    if name in ("time", "nsTime", "gwTime"):
        if isinstance(value, int | float):
            return value + shift_s
        if isinstance(value, str):
            return _moved_text(value, shift_s)
    return value


def _moved_text(text: str, shift_s: float) -> str:
    try:
        moment = np.datetime64(text.replace("Z", "").removesuffix("+00:00"), "ns")
    except ValueError:
        return text
    return f"{np.datetime_as_string(moment + np.timedelta64(round(shift_s * 1e9), 'ns'))}Z"
