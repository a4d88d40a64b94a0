"""Rows of a piece as text, whole columns at once: what CSV and XLSX have in common. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from citynet.db import Row
from situation_center.query.export.pieces import Piece

WORDS = ("series_id", "key", "name", "quantity", "channel", "unit")
RAW = ("time", "value", "quality")
PERIODS = ("start", "n", "good", "low", "high", "mean", "first", "last", "used", "marks")
HOUR_US = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Language = Literal["ru", "en"]


def names(step: str) -> tuple[str, ...]:
    """The columns of an export."""
    return WORDS + (RAW if step == "raw" else PERIODS)


def words(row: Row, language: str) -> list[str]:
    """What all rows of a series begin with."""
    told = {**row, "name": row["object_ru" if language == "ru" else "object_en"]}
    return [str(told[name]) for name in WORDS]


def figures(piece: Piece) -> list[tuple[str, NDArray[Any]]]:
    """Columns behind the time, by name and in order."""
    known = piece.columns
    if "value" in known:
        return [(name, known[name]) for name in RAW[1:]]
    return [(name, known["readings" if name == "n" else name]) for name in PERIODS[1:]]


def local(time: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """us since 1970 as a clock on the wall in zone says. Zones change at whole quarters of an hour."""
    quarters, of = np.unique(time // (HOUR_US // 4), return_inverse=True)
    moments = [EPOCH + timedelta(minutes=15 * int(quarter)) for quarter in quarters]
    offsets = [moment.astimezone(zone).utcoffset() or timedelta() for moment in moments]
    return time + np.array([round(offset.total_seconds() * 1e6) for offset in offsets], np.int64)[of]


def numbers(values: NDArray[Any]) -> pa.Array:
    """Numbers as text, as short as they come back the same; nothing for NaN."""
    return pc.cast(pa.array(values, from_pandas=True), pa.string())


def joined(columns: Sequence[Any], *, between: str, end: str) -> bytes:
    """Rows of text columns, one behind the other."""
    lines = pc.binary_join_element_wise(*columns, between, null_handling="replace", null_replacement="")
    whole = pc.binary_join_element_wise(lines, "", end)
    offsets = np.frombuffer(whole.buffers()[1], np.int32, count=len(whole) + 1, offset=whole.offset * 4)
    return bytes(memoryview(whole.buffers()[2])[int(offsets[0]) : int(offsets[-1])])


def beginnings(piece: Piece, write: Callable[[Row], str]) -> pa.Array:
    """What each row begins with, written once a series."""
    positions, of = np.unique(piece.columns["series"], return_inverse=True)
    return pa.array([write(piece.members[p]) for p in positions.tolist()], pa.string()).take(pa.array(of))
