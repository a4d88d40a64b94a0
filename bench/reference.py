"""What a database alone can take: COPY and staging + ON CONFLICT of the same rows on one connection."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg

from citynet import db
from citynet.settings import Settings
from ingest.rows import Rows, weeks
from ingest.table import moment

BATCH_ROWS = 10_000
SQL = db.named_sql(Path(__file__).parents[1] / "ingest" / "queries.sql")


def as_rows(series: list[list[int]], *, messages: int, moments: int, start_us: int) -> Rows:
    """The rows that simulators.load.fleet says in as many messages, in the order of the messages."""
    number = np.arange(messages)
    turn, device = np.divmod(number, len(series))
    table = np.array(series, np.int32)[device]  # message x key
    keys = table.shape[1]
    time_us = start_us + (turn[:, None] * moments + np.arange(moments)) * 1_000_000
    rows = messages * moments * keys
    return Rows(
        series=np.repeat(table, moments, axis=0).reshape(-1),
        time=np.repeat(time_us, keys),
        received=np.full(rows, start_us, np.int64),
        value=np.repeat((turn % 50).astype(np.float64), moments * keys),
        quality=np.zeros(rows, np.int16),
        uplink_seq=np.zeros(rows, np.uint64),
        arrival=np.zeros(rows, np.int64),
    )


@contextmanager
def _timed(settings: Settings, rows: Rows) -> Iterator[tuple[psycopg.Connection, list[bytes]]]:
    with psycopg.connect(db.dsn(settings, "ingest")) as conn:
        for week in weeks(rows):
            conn.execute("SELECT reading_partition_ensure(%s)", [moment(week)])
        conn.execute(SQL["stage_table"])
        conn.commit()
        yield conn, [rows[start : start + BATCH_ROWS].copy_body() for start in range(0, len(rows), BATCH_ROWS)]


def plain_copy(settings: Settings, rows: Rows) -> float:
    """Rows a second by COPY straight into reading, a commit each BATCH_ROWS; the bodies are packed beforehand."""
    with _timed(settings, rows) as (conn, bodies):
        began = time.perf_counter()
        for body in bodies:
            with conn.cursor().copy(SQL["copy_readings"]) as copy:
                copy.write(body)
            conn.commit()
        return len(rows) / (time.perf_counter() - began)


def staged_copy(settings: Settings, rows: Rows) -> float:
    """Rows a second by COPY to a temporary table and INSERT .. ON CONFLICT DO NOTHING, a commit each BATCH_ROWS."""
    with _timed(settings, rows) as (conn, bodies):
        began = time.perf_counter()
        for body in bodies:
            with conn.cursor().copy(SQL["stage_copy"]) as copy:
                copy.write(body)
            conn.execute(SQL["stage_insert"])
            conn.commit()  # empties the stage
        return len(rows) / (time.perf_counter() - began)
