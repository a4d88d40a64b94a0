"""Fixtures of all tests: real PostgreSQL and NATS on free ports, one database clone and one broker a test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from citynet import bus, db, embedded, migrate
from citynet.part import Part
from citynet.settings import Settings

TEMPLATE = "citynet_template"
hypothesis_settings.register_profile("default", deadline=None, max_examples=50, print_blob=True)
hypothesis_settings.register_profile("fuzz", deadline=None, max_examples=20_000, print_blob=True)


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    """A folder that the unprivileged user of PostgreSQL can reach, and that no other session of pytest tidies away."""
    home = Path(tempfile.mkdtemp(prefix="citynet-test-"))
    home.chmod(0o755)
    # Unpacked once a session: every city that a test starts would spend seconds on it.
    os.environ["CITYNET_POSTGRES_BIN"] = str(embedded.Postgres(Settings(home=home)).prepare())
    yield home
    del os.environ["CITYNET_POSTGRES_BIN"]
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(server_home: Path) -> Iterator[embedded.Postgres]:
    """One PostgreSQL for the session with the template database; fsync off: these tests kill no machine."""
    settings = Settings(home=server_home, postgres_port=embedded.free_port())
    server = embedded.Postgres(settings)
    server.start(options={"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        migrate.create_roles(admin, settings)
        migrate.create_database(admin, TEMPLATE)
    migrate.migrate(database_url(server, TEMPLATE))
    yield server
    server.stop()


def database_url(server: embedded.Postgres, name: str) -> str:
    """URL of a database of the test server as owner."""
    base = f"postgresql://127.0.0.1:{server.settings.postgres_port}/{name}"
    return db.dsn(server.settings.model_copy(update={"database_url": base}), "owner")


@pytest.fixture
def city(postgres: embedded.Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a city of its own for one test: a database cloned from the template, its own home and ports."""
    name = f"city_{abs(hash((request.node.nodeid, str(tmp_path))))}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER citynet_owner")
        admin.execute(query.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    shutil.copytree(postgres.settings.home / "secrets", tmp_path / "secrets")
    yield Settings(
        home=tmp_path,
        database_url=f"postgresql://127.0.0.1:{postgres.settings.postgres_port}/{name}",
        nats_port=embedded.free_port(),
        mqtt_port=embedded.free_port(),
        web_port=embedded.free_port(),
    )
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def broker(city: Settings) -> Iterator[embedded.Nats]:
    """A NATS server of its own for one test, streams and durables in place."""
    server = embedded.Nats(city)
    server.start()
    # A thread of its own: the fixture may be asked for from inside a running loop.
    with ThreadPoolExecutor(1) as worker:
        worker.submit(lambda: asyncio.run(_streams(city))).result()
    yield server
    server.stop()


async def _streams(settings: Settings) -> None:
    async with bus.connected(settings, "admin") as admin:
        await admin.ensure_streams()


@pytest.fixture
async def admin_bus(city: Settings, broker: embedded.Nats) -> AsyncIterator[bus.NatsBus]:
    """A bus that may do everything."""
    async with bus.connected(city, "admin") as client:
        yield client


@pytest.fixture
async def center_db(city: Settings) -> AsyncIterator[db.Database]:
    """The database as the situation centre sees it."""
    database = await db.Database(db.dsn(city, "center")).open()
    yield database
    await database.close()


async def make_part(settings: Settings, name: str, *, role: str) -> Part:
    """A part of a running city inside the test process; close with citynet.part.close_part."""
    database = await db.Database(db.dsn(settings, role)).open()
    part = Part(name, settings, database, await bus.connect(settings, role))
    await part.load_clock()
    return part
