"""Readings on TimescaleDB: the hypertable, and that compressed chunks keep every promise of the writer."""

import psycopg
import pytest

from citynet import db
from citynet.settings import Settings
from tests.flows.test_ingest_readings import MINUTE, database, readings, writer
from tests.support.readings import NOON, body, day, store

__all__ = ["database"]


@pytest.fixture(autouse=True)
def timescale(city: Settings) -> None:
    """Skips where the server has no TimescaleDB: name one that has it in CITYNET_DATABASE_URL."""
    with psycopg.connect(db.dsn(city, "owner")) as conn:
        if not conn.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone():
            pytest.skip("no TimescaleDB on the test server: set CITYNET_DATABASE_URL")


def compress(city: Settings) -> int:
    """All chunks to the columnstore; how many."""
    with psycopg.connect(db.dsn(city, "owner"), autocommit=True) as conn:
        chunks = conn.execute("SELECT c::text FROM show_chunks('reading') c").fetchall()
        for (chunk,) in chunks:
            conn.execute("CALL convert_to_columnstore(%s::regclass)", [chunk])
    return len(chunks)


async def test_reading_is_a_hypertable_with_a_columnstore_policy(city: Settings) -> None:
    with psycopg.connect(db.dsn(city, "owner")) as conn:
        tables = conn.execute("SELECT hypertable_name, compression_enabled FROM timescaledb_information.hypertables")
        assert tables.fetchall() == [("reading", True)]
        jobs = conn.execute("SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'reading'")
        assert jobs.fetchone() == (1,)


async def test_a_replay_into_compressed_chunks_changes_nothing(city: Settings, database: db.Database) -> None:
    batches = [body(day(series)) for series in range(1, 6)]
    await store(database, writer(), *batches)
    before = await readings(database)
    assert compress(city) == 1
    outcome = await store(database, writer(), *batches)
    assert +outcome.counters == {"duplicates": 5 * 96}
    assert await readings(database) == before


async def test_late_rows_and_conflicts_meet_compressed_chunks(city: Settings, database: db.Database) -> None:
    await store(database, writer(), body(day(1)))
    compress(city)
    late = [(1, NOON + MINUTE, 0.5), (1, NOON, 99.0)]
    outcome = await store(database, writer(), body(late, seq=9))
    assert outcome.counters["readings_stored"] == 1
    assert outcome.counters["conflicts"] == 1
    assert await readings(database) == sorted([*day(1), late[0]])
