"""Compares what the broker acknowledged with what the database holds, value by value."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from citynet.db import Database
from citynet.registry import Registry
from simulators.ledger import Note

Keys = NDArray[np.uint64]
SECOND_BITS = np.uint64(32)
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Tally:
    """expected: distinct (series, time) acknowledged; lost: of these, not stored; doubled: stored but never sent."""

    expected: int
    stored: int
    lost: int
    doubled: int
    unmapped: int


def series_of(registry: Registry, external_id: str, key: str) -> int | None:
    """The series that a payload key of a device feeds; None if the registry does not know it."""
    device = registry.devices.get(external_id)
    if device is None or device.point_id is None or device.profile not in registry.profiles:
        return None
    mapping = registry.profiles[device.profile][1].map.get(key)
    return registry.by_point.get((device.point_id, mapping.quantity, mapping.channel)) if mapping else None


def expected_keys(registry: Registry, notes: Iterable[Note]) -> tuple[Keys, int]:
    """Sorted distinct keys of all acknowledged values, and how many values have no series."""
    parts: list[Keys] = []
    unmapped = 0
    for note in notes:
        seconds = np.array(note.times_us, np.uint64) // np.uint64(1_000_000)
        for key in note.keys:
            series = series_of(registry, note.external_id, key)
            if series is None:
                unmapped += len(seconds)
            else:
                parts.append((np.uint64(series) << SECOND_BITS) | seconds)
    return (np.unique(np.concatenate(parts)) if parts else np.array([], np.uint64)), unmapped


async def stored_keys(database: Database) -> Keys:
    """Sorted keys of all stored readings; a row off the whole second counts as foreign (key 0)."""
    query = """COPY (SELECT series_id, extract(epoch FROM time)::float8 FROM reading) TO STDOUT (FORMAT binary)"""
    chunks: list[bytes] = []
    async with database.reader() as conn, conn.cursor() as cursor, cursor.copy(query) as copy:
        async for chunk in copy:
            chunks.append(bytes(chunk))
    return _parse(b"".join(chunks))


def _parse(data: bytes) -> Keys:
    """Binary COPY of (int4, float8): 19 bytes of header, 22 a row, 2 at the end."""
    row = np.dtype([("n", ">i2"), ("l1", ">i4"), ("series", ">i4"), ("l2", ">i4"), ("time", ">f8")])
    table = np.frombuffer(data, row, count=(len(data) - 21) // row.itemsize, offset=19)
    seconds = table["time"].astype(np.float64)
    keys = (table["series"].astype(np.uint64) << SECOND_BITS) | seconds.astype(np.uint64)
    return np.sort(np.where(seconds == np.floor(seconds), keys, np.uint64(0)))


async def tally(database: Database, registry: Registry, notes: list[Note]) -> Tally:
    """One comparison now."""
    expected, unmapped = expected_keys(registry, notes)
    stored = await stored_keys(database)
    distinct = np.unique(stored)
    lost = len(np.setdiff1d(expected, distinct, assume_unique=True))
    foreign = len(np.setdiff1d(distinct, expected, assume_unique=True))
    return Tally(len(expected), len(stored), lost, len(stored) - len(distinct) + foreign, unmapped)


async def wait_for_rows(database: Database, count: int, limit_s: float) -> int:
    """Waits until count readings are stored or nothing has come for a while; the number stored."""
    until, stored, last = time.monotonic() + limit_s, -1, time.monotonic()
    while time.monotonic() < until:
        row = await database.row("SELECT count(*) AS n FROM reading")
        now = int(row["n"]) if row else 0
        if now != stored:
            stored, last = now, time.monotonic()
        if stored >= count or time.monotonic() - last > limit_s / 4:
            break
        await asyncio.sleep(POLL_S)
    return stored
