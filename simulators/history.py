"""The past of the city through the history topics: one message holds many timed values of one device."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from citynet.settings import Settings
from simulators.ledger import Note
from simulators.physics.city import City
from simulators.physics.kind import Kind
from simulators.wires import Wires

CHUNKS_UNDERWAY = 256  # up to some 40 kB each


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message for devices/<id>/history."""

    note: Note
    body: bytes


def chunks(city: City, start: float, end: float, *, limits: Settings) -> Iterator[Chunk]:
    """Every device's values from start to end (epoch seconds), in the resolution of its kind, oldest first."""
    for kind in city.kinds.values():
        step = kind.history_step_s
        times = np.arange(np.ceil(start / step) * step, end, step)
        if len(times):
            yield from _of_kind(kind, times, limits)


def _of_kind(kind: Kind, times: np.ndarray[tuple[int], np.dtype[np.float64]], limits: Settings) -> Iterator[Chunk]:
    columns = {key: np.round(values, kind.digits) for key, values in kind.nominal(times).items()}
    keys = tuple(columns)
    size = _size(len(keys), limits)
    whole = [int(t) for t in times]
    for row, device in enumerate(kind.devices):
        rows = list(zip(*(columns[key][row].tolist() for key in keys), strict=True))
        for first in range(0, len(whole), size):
            part = whole[first : first + size]
            body = [
                {"time": second, "values": dict(zip(keys, values, strict=True))}
                for second, values in zip(part, rows[first : first + size], strict=True)
            ]
            external_id = device.device.external_id if device.device else ""
            note = Note(external_id, tuple(second * 1_000_000 for second in part), keys, history=True)
            yield Chunk(note, msgspec.json.encode(body))


def _size(keys: int, limits: Settings) -> int:
    """Moments in one message: within the limit of values, and of bytes at 40 a value and moment."""
    return max(1, min(limits.values_per_uplink // keys, limits.payload_bytes // (40 * (keys + 1))))


async def backfill(city: City, wires: Wires, limits: Settings, *, start: float, end: float) -> int:
    """Publishes the past; returns the number of values once all is acknowledged by the broker."""
    values = 0
    for chunk in chunks(city, start, end, limits=limits):
        name = chunk.note.external_id
        wires.of(name).publish(f"devices/{name}/history", chunk.body, chunk.note)
        values += chunk.note.values
        await wires.room(CHUNKS_UNDERWAY)
    await wires.drain(120.0)
    return values
