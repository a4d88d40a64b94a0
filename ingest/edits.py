"""Corrects readings that were decoded again: another value becomes a version in reading_edit, an equal one nothing.

The stored reading stays as it was; storing a batch again changes nothing."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from citynet.bus import Frame
from citynet.db import Connection, Row
from citynet.model import EDIT_CODEC, EDIT_WHO, EDIT_WHY, LiveNewest, Quality, unpack_readings
from ingest import quarantine, rollups, table
from ingest import rows as columns
from ingest.lane import Outcome
from ingest.pgbinary import Float8s, Int2s, Int4s, Times
from ingest.rows import Rows
from ingest.table import SQL, microseconds
from ingest.writer import newest_pushes


@dataclass
class EditWriter:
    """Writer of readings.edit; see lane.Write."""

    payload_bytes: int

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store all corrections of frames."""
        await conn.execute(SQL["lock_edits"])
        aside, pushes, counters = [], [], Outcome().counters
        for frame in frames:
            try:
                rows = columns.from_batch(unpack_readings(frame.data))
            except (pa.ArrowInvalid, StopIteration, OSError) as error:
                aside.append(quarantine.of_frame(frame, stream="READINGS", reason="bad_batch", detail=str(error)))
                continue
            for mask in columns.unusable(rows).values():
                rows = rows[~mask]
            added, edited, more = await _correct(conn, columns.distinct(rows).rows, frame.headers or {})
            counters.update(readings_stored=added, readings_edited=edited)
            pushes += more
        outcome = await quarantine.add(conn, aside, payload_bytes=self.payload_bytes)
        outcome.counters.update(counters)
        outcome.pushes += pushes
        return outcome


async def _correct(conn: Connection, rows: Rows, headers: dict[str, str]) -> tuple[int, int, list[tuple[str, bytes]]]:
    """Rows added, rows corrected, what to push."""
    if not len(rows):
        return 0, 0, []
    await table.ensure_partitions(conn, rows)
    key = {"series": Int4s(rows.series), "time": Times(rows.time), "value": Float8s(rows.value)}
    missing = {
        **key,
        "received": Times(rows.received),
        "quality": Int2s((rows.quality | np.int16(Quality.LATE)).astype(np.int16)),
    }
    added = len(await (await conn.execute(SQL["insert_missing"], missing)).fetchall())
    pushes = await newest_pushes(conn, rows) if added else []
    marked = Int2s((rows.quality | np.int16(Quality.EDITED)).astype(np.int16))
    words = {"who": headers.get(EDIT_WHO, ""), "why": headers.get(EDIT_WHY, ""), "codec": headers.get(EDIT_CODEC, "")}
    cursor = await conn.execute(SQL["insert_edits"], {**key, "quality": marked, **words})
    edited = await cursor.fetchall()
    if added or edited:
        await rollups.mark_due(conn, rows)
    return added, len(edited), pushes + await _correct_newest(conn, edited)


async def _correct_newest(conn: Connection, edited: list[Row]) -> list[tuple[str, bytes]]:
    names = {"series": "series_id", "time": "time", "value": "value", "quality": "quality"}
    given = {name: [row[column] for row in edited] for name, column in names.items()}
    changed = await (await conn.execute(SQL["correct_newest"], given)).fetchall()
    if not changed:
        return []
    live = LiveNewest(
        [row["series_id"] for row in changed],
        [microseconds(row["time"]) for row in changed],
        [row["value"] for row in changed],
        [row["change"] for row in changed],
    )
    return [("live.newest", msgspec.msgpack.encode(live))]
