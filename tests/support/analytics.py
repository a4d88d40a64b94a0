"""What the tests of analytics share: four inlets and two bins in the registry, READINGS messages, collected events."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa

from analytics import app
from citynet.bus import INGEST_EVENTS, NatsBus
from citynet.catalog import catalog
from citynet.db import Database
from citynet.model import READINGS_SCHEMA, DeviceSpec, Event, Proposal, ProposalRequest, pack_readings
from citynet.part import Part, close_part
from citynet.settings import Settings
from situation_center import registry_write
from tests.conftest import make_part

START = datetime(2026, 1, 1, tzinfo=UTC)
OBJECTS = {f"inlet/{n}": ("district_inlet", "district-inlet") for n in range(4)} | {
    f"bin/{n}": ("bin", "bin-lora") for n in range(2)
}


@dataclass(frozen=True)
class Row:
    """A reading: series, seconds after START, value; received one second later unless said otherwise."""

    series: int
    at: float
    value: float
    delay: float = 1.0


async def plant(database: Database) -> dict[tuple[str, str], int]:
    """Write catalogue and objects as the situation centre does; gives (object key, quantity) -> series."""
    await registry_write.seed_catalog(database, catalog())
    proposals = [
        Proposal(
            key=key,
            cls=class_,
            name_ru=key,
            name_en=key,
            device=DeviceSpec(
                external_id=f"{class_}-{key[-1]}", protocol=catalog().profiles[profile].protocol, profile=profile
            ),
        )
        for key, (class_, profile) in OBJECTS.items()
    ]
    await registry_write.apply(database, ProposalRequest("test", proposals), catalog())
    rows = await database.rows("SELECT o.key, s.quantity, s.series_id FROM series s JOIN object o USING (object_id)")
    return {(row["key"], row["quantity"]): row["series_id"] for row in rows}


async def set_clock(database: Database, city: datetime, *, speed: float = 1.0) -> None:
    """City time now, and how fast it runs."""
    async with database.transaction("person:test") as conn:
        await conn.execute("INSERT INTO city_clock (origin, wall_origin, speed) VALUES (%s, now(), %s)", [city, speed])


def body(rows: list[Row], *, first_seq: int, partition: int, start: datetime = START) -> bytes:
    """A READINGS message; each row is an uplink of its own."""
    times = [start + timedelta(seconds=row.at) for row in rows]
    columns = [
        pa.array([row.series for row in rows], pa.int32()),
        pa.array(times, pa.timestamp("us", tz="UTC")),
        pa.array([t + timedelta(seconds=row.delay) for t, row in zip(times, rows, strict=True)]).cast(
            pa.timestamp("us", tz="UTC")
        ),
        pa.array([row.value for row in rows], pa.float64()),
        pa.array(np.zeros(len(rows), np.int16)),
        pa.array(np.full(len(rows), partition, np.uint8)),
        pa.array(np.arange(first_seq, first_seq + len(rows), dtype=np.uint64)),
        pa.array(np.zeros(len(rows), np.int64)),
    ]
    return pack_readings(pa.RecordBatch.from_arrays(columns, schema=READINGS_SCHEMA))


async def send(bus: NatsBus, rows: list[Row], *, first_seq: int, lane: str = "live", partition: int = 3) -> None:
    """Publish one READINGS message."""
    await bus.publish(f"readings.{lane}.{partition}", body(rows, first_seq=first_seq, partition=partition))


async def events(bus: NatsBus, count: int, *, timeout_s: float = 20) -> list[Event]:
    """The next events, waiting until there are count of them. Raises TimeoutError."""
    puller = await bus.puller(INGEST_EVENTS)
    found: list[Event] = []
    async with asyncio.timeout(timeout_s):
        while len(found) < count:
            frames = await puller.fetch(100, 0.2)
            await puller.ack(frames)
            found += [msgspec.json.decode(frame.data, type=Event) for frame in frames]
    return found


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Part]:
    """The part at work inside the test process."""
    part = await make_part(settings, "analytics", role="analytics")
    work = asyncio.create_task(app.run(part))
    try:
        yield part
    finally:
        part.stopping.set()
        await asyncio.wait([work], timeout=10)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await close_part(part)
    if not work.cancelled():
        work.result()


@contextmanager
def process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The part as a process of its own, killed with SIGKILL at the end."""
    environment = os.environ | {
        "CITYNET_HOME": str(settings.home),
        "CITYNET_DATABASE_URL": settings.database_url,
        "CITYNET_NATS_PORT": str(settings.nats_port),
    }
    command = [sys.executable, "-m", "citynet.cli", "run", "analytics"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGKILL)
