"""Readings as columns: merge messages, set aside what cannot be stored, find repeats. Pure; called by the writer."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from citynet.model import column
from ingest import pgbinary

Mask = NDArray[np.bool_]
Index = slice | Mask | NDArray[np.intp]
# What reading_partition_ensure takes: 2000-01-01 .. 2100-01-01.
TIME_MIN_US, TIME_MAX_US = pgbinary.EPOCH_US, 4_102_444_800_000_000
WEEK_US = 7 * 86_400 * 1_000_000
MONDAY_US = 4 * 86_400 * 1_000_000  # 1970-01-05, the first Monday


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length, one row a reading; times in us since 1970, arrival in ns of wall time."""

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    received: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]
    uplink_seq: NDArray[np.uint64]
    arrival: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, index: Index) -> "Rows":
        return Rows(*(getattr(self, field.name)[index] for field in fields(self)))

    def copy_body(self) -> bytes:
        """All rows as the body of a binary COPY into reading."""
        return pgbinary.copy_readings(
            series=self.series, time=self.time, received=self.received, value=self.value, quality=self.quality
        )


NO_ROWS = Rows(*(np.empty(0, kind) for kind in ("i4", "i8", "i8", "f8", "i2", "u8", "i8")))


def merge(parts: list[Rows]) -> Rows:
    """One Rows of all parts, in their order; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))


def from_batch(batch: pa.RecordBatch) -> Rows:
    """Columns of a READINGS batch without copying. Raises pa.ArrowInvalid where a value is missing."""
    return Rows(
        series=column(batch, "series_id"),
        time=column(batch, "time"),
        received=column(batch, "received"),
        value=column(batch, "value"),
        quality=column(batch, "quality"),
        uplink_seq=column(batch, "uplink_seq"),
        arrival=column(batch, "arrival"),
    )


def unusable(rows: Rows) -> dict[str, Mask]:
    """Reason of quarantine -> rows that the table cannot take; reasons do not overlap."""
    infinite = ~np.isfinite(rows.value)
    outside = np.zeros(len(rows), np.bool_)
    for moments in (rows.time, rows.received):
        outside |= (moments < TIME_MIN_US) | (moments >= TIME_MAX_US)
    found = {"not_finite": infinite, "time_out_of_range": outside & ~infinite}
    return {reason: mask for reason, mask in found.items() if mask.any()}


@dataclass(frozen=True, slots=True)
class Distinct:
    """rows in the order of the key, each (series, time) once; what was in the way of that."""

    rows: Rows
    repeats: int
    conflicting: Rows


def distinct(rows: Rows) -> Distinct:
    """Keep the first row of each (series, time); equal later ones are repeats, different ones conflict.

    Rows come out sorted by key: index pages are visited in order and two writers lock rows in one order.
    """
    rows = rows[np.lexsort((rows.time, rows.series))]
    first = np.ones(len(rows), np.bool_)
    first[1:] = (rows.series[1:] != rows.series[:-1]) | (rows.time[1:] != rows.time[:-1])
    if first.all():
        return Distinct(rows, 0, rows[:0])
    kept = rows[first]
    differs = rows.value != kept.value[np.cumsum(first) - 1]
    return Distinct(kept, int(np.count_nonzero(~first & ~differs)), rows[differs])


def newest(rows: Rows) -> Rows:
    """The newest row of each series; rows sorted by key."""
    last = np.ones(len(rows), np.bool_)
    last[:-1] = rows.series[1:] != rows.series[:-1]
    return rows[last]


def weeks(rows: Rows) -> list[int]:
    """Mondays 00:00 UTC, in us, of all weeks that have rows: one partition each."""
    return [int(week) * WEEK_US + MONDAY_US for week in np.unique((rows.time - MONDAY_US) // WEEK_US)]
