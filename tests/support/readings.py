"""What the tests of ingest share: batches of readings, frames without a broker, waiting for a state."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from citynet.bus import Frame
from citynet.db import Connection, Database
from citynet.model import READINGS_SCHEMA, pack_readings
from citynet.part import Part, close_part
from citynet.settings import Settings
from ingest import app
from ingest.lane import ACTOR, Outcome
from tests.conftest import make_part

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
Reading = tuple[int, datetime, float]


def body(readings: Sequence[Reading], *, seq: int = 1, received: datetime | None = None) -> bytes:
    """A READINGS message."""
    count = len(readings)
    columns: list[Any] = [
        [series for series, _, _ in readings],
        [moment for _, moment, _ in readings],
        [received or NOON] * count,
        [value for _, _, value in readings],
        [0] * count,
        [0] * count,
        [seq] * count,
        [time.time_ns()] * count,
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, READINGS_SCHEMA, strict=True)]
    return pack_readings(pa.RecordBatch.from_arrays(arrays, schema=READINGS_SCHEMA))


def frame(data: bytes, *, seq: int = 1, subject: str = "readings.live.0") -> Frame:
    """A message as a puller gives it."""
    return Frame(subject, data, seq, 0)


def day(series: int, *, minutes: int = 15) -> list[Reading]:
    """A day of one series."""
    return [(series, NOON + timedelta(minutes=minutes * n), float(n)) for n in range(1440 // minutes)]


async def store(
    database: Database, write: Callable[[Connection, list[Frame]], Awaitable[Outcome]], *bodies: bytes
) -> Outcome:
    """Store messages as a lane does, in one transaction."""
    async with database.transaction(ACTOR) as conn:
        return await write(conn, [frame(data, seq=number) for number, data in enumerate(bodies, 1)])


async def eventually(check: Callable[[], Awaitable[bool]], *, limit_s: float = 60) -> None:
    """Wait until check is true."""
    until = time.monotonic() + limit_s
    while not await check():
        assert time.monotonic() < until, "it did not happen in time"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running_ingest(settings: Settings) -> AsyncIterator[Part]:
    """The whole part inside the test process."""
    part = await make_part(settings, "ingest", role="ingest")
    task = asyncio.create_task(app.run(part))
    try:
        yield part
        assert not task.done(), task.exception()
    finally:
        part.stopping.set()
        await asyncio.wait_for(task, 30)
        await close_part(part)
