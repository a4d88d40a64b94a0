"""The binary frames of the websocket /map/live, as web/src/wire.js reads them. Pure; called by map_feed.py."""

import struct

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
F32 = NDArray[np.float32]
# f64 city time in epoch milliseconds, u32 records, u32 kind.
HEADER = struct.Struct("<dII")
DELTA, SNAPSHOT, MOVED = 0, 1, 2
NO_SERVICE = 255
STATES = {"normal": 0, "low": 1, "medium": 2, "high": 3, "critical": 4, "unknown": 5}


def _column(values: U8 | U32 | F32) -> bytes:
    """Little-endian, padded with zeros to a multiple of 4 bytes."""
    data = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    return data + bytes(-len(data) % 4)


def _frame(time_ms: float, kind: int, columns: tuple[U8 | U32 | F32, ...]) -> bytes:
    return HEADER.pack(time_ms, len(columns[0]), kind) + b"".join(_column(c) for c in columns)


def snapshot(time_ms: float, *, ids: U32, lon: F32, lat: F32, state: U8, service: U8, value: F32) -> bytes:
    """Everything a viewer may see."""
    return _frame(time_ms, SNAPSHOT, (ids, lon, lat, state, service, value))


def delta(time_ms: float, *, index: U32, state: U8, value: F32) -> bytes:
    """What differs from the last frame; index counts in the last snapshot. Empty = a heartbeat."""
    return _frame(time_ms, DELTA, (index, state, value))


def moved(time_ms: float, *, index: U32, lon: F32, lat: F32) -> bytes:
    """New places of what moves; index counts in the last snapshot."""
    return _frame(time_ms, MOVED, (index, lon, lat))
