"""PostgreSQL's binary formats made by numpy, a column at a time: COPY rows and array parameters. Pure.

Formats: PostgreSQL documentation, COPY "Binary Format"; array_recv in src/backend/utils/adt/arrayfuncs.c.
"""

import struct
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

# PostgreSQL counts microseconds from 2000-01-01, we count from 1970-01-01.
EPOCH_US = 946_684_800_000_000
COPY_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
COPY_TAIL = struct.pack(">h", -1)

# One row of reading(series_id, time, received, value, quality) as COPY wants it: a count of fields, then each field
# after its length in bytes.
READING = np.dtype(
    [
        ("fields", ">i2"),
        ("series_bytes", ">i4"),
        ("series", ">i4"),
        ("time_bytes", ">i4"),
        ("time", ">i8"),
        ("received_bytes", ">i4"),
        ("received", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
        ("quality_bytes", ">i4"),
        ("quality", ">i2"),
    ]
)


def copy_readings(
    *,
    series: NDArray[np.int32],
    time: NDArray[np.int64],
    received: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.int16],
) -> bytes:
    """Body of COPY reading(series_id, time, received, value, quality) FROM STDIN (FORMAT BINARY); times in us."""
    rows = np.empty(len(series), READING)
    rows["fields"] = 5
    rows["series"], rows["value"], rows["quality"] = series, value, quality
    rows["time"], rows["received"] = time - EPOCH_US, received - EPOCH_US
    for name in ("series", "time", "received", "value", "quality"):
        rows[f"{name}_bytes"] = READING[name].itemsize
    return COPY_HEAD + rows.tobytes() + COPY_TAIL


@dataclass(frozen=True, slots=True)
class PgArray:
    """A column passed as one array parameter without a Python object a value."""

    values: NDArray[Any]
    array_oid: ClassVar[int]
    element_oid: ClassVar[int]
    element: ClassVar[str]


class Int2s(PgArray):
    """int2[] parameter."""

    array_oid, element_oid, element = 1005, 21, ">i2"


class Int4s(PgArray):
    """int4[] parameter."""

    array_oid, element_oid, element = 1007, 23, ">i4"


class Float8s(PgArray):
    """float8[] parameter."""

    array_oid, element_oid, element = 1022, 701, ">f8"


class Times(PgArray):
    """timestamptz[] parameter of us since 1970."""

    array_oid, element_oid, element = 1185, 1184, ">i8"


def array_body(array: PgArray) -> bytes:
    """The binary form of a one-dimensional array without nulls."""
    count = len(array.values)
    body = np.empty(count, np.dtype([("bytes", ">i4"), ("value", array.element)]))
    body["bytes"] = body.dtype["value"].itemsize
    body["value"] = array.values - EPOCH_US if isinstance(array, Times) else array.values
    return struct.pack(">iiiii", 1, 0, array.element_oid, count, 1) + body.tobytes()


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: PgArray) -> bytes:
        """See psycopg.adapt.Dumper."""
        return array_body(obj)


for _kind in (Int2s, Int4s, Float8s, Times):
    psycopg.adapters.register_dumper(_kind, type(f"{_kind.__name__}Dumper", (_ArrayDumper,), {"oid": _kind.array_oid}))
