"""Columns of raw values -> checked readings: times, ranges, repeats, conflicts; and their Arrow batch. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from citynet.clock import Clock
from citynet.model import READINGS_SCHEMA, Quality
from citynet.settings import Settings
from gateway.decoding import RELATIVE_BELOW, TIME_OF_ARRIVAL, Draft
from gateway.targets import Targets

YEAR_2000_US, YEAR_2100_US = 946_684_800_000_000, 4_102_444_800_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROW_BYTES = sum(field.type.bit_width for field in READINGS_SCHEMA) // 8
ENVELOPE_BYTES = 4_096
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Readings:
    """Rows in the order of their frames; frame = position in the batch. Times in us."""

    frame: NDArray[np.intp]
    series: NDArray[np.int32]
    time: Ints
    received: Ints
    value: NDArray[np.float64]
    quality: NDArray[np.int16]

    def where(self, mask: Mask) -> "Readings":
        """The rows that mask names."""
        columns: tuple[Any, ...] = (self.frame, self.series, self.time, self.received, self.value, self.quality)
        return Readings(*(column[mask] for column in columns))

    def marked(self, bit: Quality) -> "Readings":
        """The same rows with a quality bit set."""
        return replace(self, quality=self.quality | np.int16(bit))

    def __len__(self) -> int:
        return len(self.series)


def received_us(arrival_ns: Ints, clock: Clock) -> Ints:
    """City time in us at which frames arrived."""
    origin, wall = (round((moment - EPOCH).total_seconds() * 1e6) for moment in (clock.origin, clock.wall_origin))
    since = arrival_ns // 1000 - wall
    return origin + (since if clock.speed == 1 else np.round(since * clock.speed).astype(np.int64))


@dataclass(frozen=True)
class Checked:
    """Readings that may go on, and the positions of frames whose values were refused, by reason."""

    readings: Readings
    refused: dict[str, NDArray[np.intp]]
    repeats: int


def check(draft: Draft, targets: Targets, clock: Clock, *, limits: Settings) -> Checked:
    """Convert, mark and sort out. Out of range and a clock in the future are marked; impossible times and places
    are refused."""
    count = np.array(draft.count, np.intp)
    frame = np.repeat(np.array(draft.frame, np.intp), count)
    given = np.repeat(np.array(draft.time, np.int64), count)
    came = np.array([f.received_ns if f.headers else f.arrival_ns for f in draft.frames], np.int64)
    received = received_us(came, clock)[frame]
    index = np.array(draft.offset, np.intp) + np.repeat(np.array(draft.base, np.intp), count)
    series, (mul, add, div, low, high, strict) = targets.rows(index)
    with np.errstate(over="ignore", invalid="ignore"):
        value = (np.array(draft.value, np.float64) * mul + add) / div
    given = np.where(given < RELATIVE_BELOW, received + (given - TIME_OF_ARRIVAL), given)
    impossible = (given < YEAR_2000_US) | (given >= YEAR_2100_US)
    ahead = given > received + limits.future_limit_s * 1_000_000
    infinite = ~np.isfinite(value)
    outside = (value < low) | (value > high)
    quality = np.where(outside, Quality.OUT_OF_RANGE, 0) | np.where(ahead, Quality.CLOCK_DOUBTFUL, 0)
    rows = Readings(
        frame=frame,
        series=series,
        time=np.where(ahead, received, given),
        received=received,
        value=value,
        quality=quality.astype(np.int16),
    )
    nowhere = outside & (strict > 0) & ~impossible & ~infinite
    good = ~impossible & ~infinite & ~nowhere
    kept, conflicts, repeats = distinct(rows.where(good))
    refused = {
        "bad_time": frame[impossible],
        "not_finite": frame[infinite & ~impossible],
        "off_earth": frame[nowhere],
        "conflict": conflicts,
    }
    return Checked(kept, {reason: np.unique(at) for reason, at in refused.items() if len(at)}, repeats)


def distinct(rows: Readings) -> tuple[Readings, NDArray[np.intp], int]:
    """The first row of each (series, time); frames with another value for it; number of equal repeats."""
    order = np.lexsort((rows.time, rows.series))
    series, time, value = rows.series[order], rows.time[order], rows.value[order]
    again = np.zeros(len(rows), np.bool_)
    again[1:] = (series[1:] == series[:-1]) & (time[1:] == time[:-1])
    if not again.any():
        return rows, np.array([], np.intp), 0
    first = value[~again][np.cumsum(~again) - 1]
    differs = again & (value != first)
    keep = np.ones(len(rows), np.bool_)
    keep[order[again]] = False
    return rows.where(keep), rows.frame[order[differs]], int(np.count_nonzero(again & ~differs))


def late(rows: Readings, after_s: int) -> Mask:
    """Rows whose time lies so far back that they are history."""
    return np.asarray(rows.received - rows.time > after_s * 1_000_000)


def parts(rows: Readings, message_bytes: int) -> Iterator[Readings]:
    """Pieces that fit a message. A frame is never divided: its readers go by the sequence of the frame."""
    size = (message_bytes - ENVELOPE_BYTES) // ROW_BYTES
    start = 0
    while start < len(rows):
        end = start + size
        if end < len(rows):
            end = int(np.searchsorted(rows.frame, rows.frame[end], "left"))
            if end <= start:
                end = int(np.searchsorted(rows.frame, rows.frame[start], "right"))
        inside = np.zeros(len(rows), np.bool_)
        inside[start:end] = True
        yield rows.where(inside)
        start = end


def batch(rows: Readings, draft: Draft, partition: int) -> pa.RecordBatch:
    """The Arrow batch of rows."""
    seq = np.array([f.seq for f in draft.frames], np.uint64)
    arrival = np.array([f.arrival_ns for f in draft.frames], np.int64)
    columns = (
        rows.series,
        rows.time,
        rows.received,
        rows.value,
        rows.quality,
        np.full(len(rows), partition, np.uint8),
        seq[rows.frame],
        arrival[rows.frame],
    )
    # Straight from memory: pa.array() would import pandas first, a second and 50 MB for nothing.
    arrays = [
        pa.Array.from_buffers(field.type, len(rows), [None, pa.py_buffer(np.ascontiguousarray(column))])
        for field, column in zip(READINGS_SCHEMA, columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=READINGS_SCHEMA)


def city_time(arrival_ns: int, clock: Clock) -> datetime:
    """City time at which one frame arrived."""
    return clock.at(datetime.fromtimestamp(arrival_ns / 1e9, UTC))
