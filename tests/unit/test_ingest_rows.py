"""Columns of readings: merging, repeats and conflicts, what the table cannot take, weeks; the binary forms."""

import struct
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citynet.model import unpack_readings
from ingest import pgbinary, rows
from ingest.pgbinary import EPOCH_US, Float8s, Int2s, Int4s, PgArray, Times
from ingest.rows import Rows
from tests.support.readings import NOON, body

KEYS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.sampled_from([1.0, 2.0])), max_size=30)


def some(*triples: tuple[int, int, float]) -> Rows:
    """Rows of (series, seconds after 2026-03-02 12:00, value); uplink_seq numbers them."""
    start, count = int(NOON.timestamp()) * 1_000_000, len(triples)
    return Rows(
        series=np.array([t[0] for t in triples], np.int32),
        time=np.array([start + t[1] * 1_000_000 for t in triples], np.int64),
        received=np.full(count, start, np.int64),
        value=np.array([t[2] for t in triples], np.float64),
        quality=np.zeros(count, np.int16),
        uplink_seq=np.arange(count, dtype=np.uint64),
        arrival=np.zeros(count, np.int64),
    )


@given(KEYS)
def test_the_first_of_equal_keys_stays_and_every_row_is_accounted_for(triples: list[tuple[int, int, float]]) -> None:
    found = rows.distinct(some(*triples))
    first: dict[tuple[int, int], float] = {}
    conflicts = 0
    for series, second, value in triples:
        conflicts += first.setdefault((series, second), value) != value
    kept = zip(found.rows.series, found.rows.time - int(NOON.timestamp()) * 1_000_000, found.rows.value, strict=True)
    assert [((int(s), int(t) // 1_000_000), float(v)) for s, t, v in kept] == sorted(first.items())
    assert len(found.conflicting) == conflicts
    assert len(found.rows) + found.repeats + len(found.conflicting) == len(triples)


def test_newest_is_the_last_row_of_each_series() -> None:
    found = rows.newest(rows.distinct(some((2, 5, 1.0), (1, 9, 2.0), (2, 7, 3.0), (1, 1, 4.0))).rows)
    assert found.series.tolist() == [1, 2]
    assert found.value.tolist() == [2.0, 3.0]


def test_what_the_table_cannot_take_is_named_once() -> None:
    table = some((1, 0, float("nan")), (1, 1, float("-inf")), (1, 2, 3.0), (1, 3, 4.0), (1, 4, float("nan")))
    table.time[3:] = -1  # 1969
    masks = rows.unusable(table)
    assert masks["not_finite"].tolist() == [True, True, False, False, True]
    assert masks["time_out_of_range"].tolist() == [False, False, False, True, False]


def test_weeks_begin_on_monday() -> None:
    found = rows.weeks(some((1, -1, 0.0), (1, 86_400, 0.0), (1, 7 * 86_400, 0.0)))
    days = [datetime.fromtimestamp(week / 1e6, UTC).date().isoformat() for week in found]
    assert days == ["2026-03-02", "2026-03-09"]


def test_a_batch_comes_back_as_columns() -> None:
    table = rows.from_batch(unpack_readings(body([(7, NOON, 1.5), (8, NOON, 2.5)], seq=9)))
    assert table.series.tolist() == [7, 8]
    assert table.time.tolist() == [int(NOON.timestamp()) * 1_000_000] * 2
    assert table.uplink_seq.tolist() == [9, 9]


def test_a_missing_value_is_refused() -> None:
    batch = unpack_readings(body([(7, NOON, 1.5)]))
    holes = batch.set_column(3, batch.schema.field(3), pa.array([None], pa.float64()))
    with pytest.raises(pa.ArrowInvalid):
        rows.from_batch(holes)


def test_a_copy_row_is_as_postgresql_documents_it() -> None:
    table = some((3, 0, -1.25))
    fields = struct.pack(">i", 4) + struct.pack(">i", 3)
    fields += struct.pack(">iq", 8, int(table.time[0]) - EPOCH_US) + struct.pack(
        ">iq", 8, int(table.time[0]) - EPOCH_US
    )
    fields += struct.pack(">id", 8, -1.25) + struct.pack(">ih", 2, 0)
    head = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    assert table.copy_body() == head + struct.pack(">h", 5) + fields + struct.pack(">h", -1)


@pytest.mark.parametrize(
    ("array", "element"),
    [
        (Int2s(np.array([-2], np.int16)), struct.pack(">ih", 2, -2)),
        (Int4s(np.array([70_000], np.int32)), struct.pack(">ii", 4, 70_000)),
        (Float8s(np.array([0.1])), struct.pack(">id", 8, 0.1)),
        (Times(np.array([EPOCH_US + 5], np.int64)), struct.pack(">iq", 8, 5)),
    ],
)
def test_an_array_parameter_is_as_postgresql_documents_it(array: PgArray, element: bytes) -> None:
    assert pgbinary.array_body(array) == struct.pack(">iiiii", 1, 0, array.element_oid, 1, 1) + element
