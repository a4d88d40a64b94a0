"""Stores batches of readings of one lane: table rows, newest values, read-back receipts, what is set aside.

Called by a lane with an open transaction; storing any batch again changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import psycopg
import pyarrow as pa
from numpy.typing import NDArray

from citynet.bus import Frame
from citynet.db import Connection
from citynet.model import LiveChanged, LiveNewest, Quarantined, unpack_readings
from ingest import quarantine, receipts, rollups, table
from ingest import rows as columns
from ingest.lane import Outcome
from ingest.rows import Rows
from ingest.table import Put

PUSH_SERIES = 10_000  # series in one live.newest message: below the broker's 1 MB


@dataclass
class ReadingsWriter:
    """Writer of one lane. stream is where its uplink_seq counts: UPLINKS or HISTORY."""

    stream: str
    payload_bytes: int
    # Where one batch repeats the next ones do too (a replay): they go by stage at once until one is all new.
    expect_repeats: bool = False

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store all readings of frames; see lane.Write."""
        rows, aside = self._read(frames)
        batch = columns.distinct(rows)
        await table.ensure_partitions(conn, batch.rows)
        puts, refused = await table.put(conn, batch.rows, straight=not self.expect_repeats)
        kept = columns.merge([rows[:0], *(put.rows for put in puts)])
        pushes = await _newest_and_receipts(conn, kept) if len(kept) else []
        if any(put.new for put in puts):
            await rollups.mark_due(conn, kept)
        aside += [*self._conflicts(batch.conflicting, puts), *self._refused(refused)]
        outcome = await quarantine.add(conn, aside, payload_bytes=self.payload_bytes)
        outcome.pushes += pushes
        outcome.arrival_ns = kept.arrival
        self._count(outcome, batch.repeats, puts)
        outcome.counters["conflicts"] = sum(notice.reason == "conflict" for notice in aside)
        return outcome

    def _read(self, frames: list[Frame]) -> tuple[Rows, list[Quarantined]]:
        parts, aside = [columns.NO_ROWS], []
        for frame in frames:
            try:
                parts.append(columns.from_batch(unpack_readings(frame.data)))
            except (pa.ArrowInvalid, StopIteration, OSError) as error:
                aside.append(quarantine.of_frame(frame, stream="READINGS", reason="bad_batch", detail=str(error)))
        rows = columns.merge(parts)
        good = np.ones(len(rows), np.bool_)
        for reason, mask in columns.unusable(rows).items():
            aside += [self._notice(row, reason) for row in _each(rows[mask])]
            good &= ~mask
        return (rows if good.all() else rows[good]), aside

    def _count(self, outcome: Outcome, repeats: int, puts: list[Put]) -> None:
        known = sum(len(put.rows) - put.new for put in puts)
        self.expect_repeats = known > 0 or any(len(put.conflicting) for put in puts)
        outcome.counters["readings_stored"] = sum(put.new for put in puts)
        outcome.counters["duplicates"] = repeats + known

    def _conflicts(self, in_batch: Rows, puts: list[Put]) -> Iterator[Quarantined]:
        for row in _each(in_batch):
            yield self._notice(row, "conflict", "another value came first")
        for put in puts:
            for row, stored in zip(_each(put.conflicting), put.stored, strict=True):
                yield self._notice(row, "conflict", f"stored is {stored!r}")

    def _refused(self, refused: list[tuple[Rows, psycopg.Error]]) -> Iterator[Quarantined]:
        for row, error in refused:
            yield self._notice(row, "refused", str(error).partition("\n")[0])

    def _notice(self, row: Rows, reason: str, why: str = "") -> Quarantined:
        series, value, time_us = int(row.series[0]), float(row.value[0]), int(row.time[0])
        fields = {"series_id": series, "time_us": time_us, "received_us": int(row.received[0]), "value": repr(value)}
        return Quarantined(
            stage="ingest",
            reason=reason,
            detail=f"series {series} at {time_us} us: {value!r}" + (f"; {why}" if why else ""),
            stream=self.stream,
            stream_seq=int(row.uplink_seq[0]),
            payload=msgspec.json.encode({**fields, "quality": int(row.quality[0])}),
        )


def _each(rows: Rows) -> Iterator[Rows]:
    for number in range(len(rows)):
        yield rows[number : number + 1]


async def newest_pushes(conn: Connection, kept: Rows) -> list[tuple[str, bytes]]:
    """Bring newest values to rows sorted by key; what to tell of it."""
    changed, change = await table.update_newest(conn, columns.newest(kept))
    return [
        ("live.newest", _live_newest(changed[start : start + PUSH_SERIES], change[start : start + PUSH_SERIES]))
        for start in range(0, len(changed), PUSH_SERIES)
    ]


async def _newest_and_receipts(conn: Connection, kept: Rows) -> list[tuple[str, bytes]]:
    pushes = await newest_pushes(conn, kept)
    confirmed = await receipts.confirm(conn, await table.touched_commands(conn, kept))
    if confirmed:
        pushes.append(("live.receipt", msgspec.json.encode(LiveChanged(confirmed))))
    return pushes


def _live_newest(rows: Rows, change: NDArray[np.int64]) -> bytes:
    live = LiveNewest(rows.series.tolist(), rows.time.tolist(), rows.value.tolist(), change.tolist())
    return msgspec.msgpack.encode(live)
