"""The tables of readings in SQL: put rows, newest values, read-back receipts. Called by the writer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from citynet import db
from citynet.db import Connection
from ingest import bisect
from ingest.pgbinary import Float8s, Int2s, Int4s, Times
from ingest.rows import Rows, weeks

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time_us: int) -> datetime:
    """us since 1970 as aware UTC, exact."""
    return EPOCH + timedelta(microseconds=time_us)


def microseconds(time: datetime) -> int:
    """The inverse of moment."""
    return (time - EPOCH) // timedelta(microseconds=1)


@dataclass
class Put:
    """What became of rows handed to the table: rows it holds now, how many are new, what it holds otherwise."""

    rows: Rows
    new: int
    conflicting: Rows
    stored: list[float]  # the value in the table for each conflicting row


async def ensure_partitions(conn: Connection, rows: Rows) -> None:
    """Make the partitions of all weeks that have rows."""
    if len(rows):
        await conn.execute(SQL["ensure_partitions"], {"weeks": Times(np.array(weeks(rows)))})


async def copy(conn: Connection, rows: Rows) -> Put:
    """Straight COPY in a savepoint. Raises UniqueViolation when a key is known."""
    async with conn.transaction(), conn.cursor() as cursor, cursor.copy(SQL["copy_readings"]) as copying:
        await copying.write(rows.copy_body())
    return Put(rows, len(rows), rows[:0], [])


async def stage(conn: Connection, rows: Rows) -> Put:
    """Rows that may be known: COPY to a stage, insert what is new, compare what is not. rows sorted by key."""
    async with conn.cursor() as cursor:
        await cursor.execute(SQL["stage_table"])
        await cursor.execute(SQL["stage_clear"])
        async with cursor.copy(SQL["stage_copy"]) as copying:
            await copying.write(rows.copy_body())
        await cursor.execute(SQL["stage_insert"])
        new = cursor.rowcount
        if new == len(rows):
            return Put(rows, new, rows[:0], [])
        await cursor.execute(SQL["stage_conflicts"])
        found = await cursor.fetchall()
    at = [_position(rows, row["series_id"], microseconds(row["time"])) for row in found]
    differs = np.zeros(len(rows), np.bool_)
    differs[at] = True
    return Put(rows[~differs], new, rows[differs], [row["value"] for row in found])


def _position(rows: Rows, series: int, time_us: int) -> int:
    start, end = np.searchsorted(rows.series, [series, series + 1])
    return int(start + np.searchsorted(rows.time[start:end], time_us))


async def put(conn: Connection, rows: Rows, *, straight: bool) -> tuple[list[Put], list[tuple[Rows, psycopg.Error]]]:
    """Store rows whatever is among them; gives what was put and the single rows that the table refused."""
    if straight and len(rows):
        try:
            return [await copy(conn, rows)], []
        except bisect.POISON:
            pass  # a known key or a poisoned row: the way below finds out which, at half the speed
    return await bisect.put(conn, rows, stage)


async def update_newest(conn: Connection, newest: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Upsert newest values, one row a series; gives the rows that changed something and their change numbers."""
    columns = {
        "series": Int4s(newest.series),
        "time": Times(newest.time),
        "received": Times(newest.received),
        "value": Float8s(newest.value),
        "quality": Int2s(newest.quality),
    }
    found = await (await conn.execute(SQL["upsert_newest"], columns)).fetchone() or {"series": [], "change": []}
    series, change = np.array(found["series"], np.int32), np.array(found["change"], np.int64)
    return newest[np.searchsorted(newest.series, series)], change


async def touched_commands(conn: Connection, rows: Rows) -> list[UUID]:
    """Commands whose expected effect may be among rows."""
    bounds = {"oldest": moment(int(rows.time.min())), "newest": moment(int(rows.time.max()))}
    cursor = await conn.execute(SQL["commands_touched"], {**bounds, "series": Int4s(np.unique(rows.series))})
    return [row["command_id"] for row in await cursor.fetchall()]
