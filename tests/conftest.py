"""Fixtures of all tests: real PostgreSQL and NATS on free ports, one database clone and one broker a test.

With CITYNET_DATABASE_URL of the superuser `postgres` of a server with TimescaleDB they run there (decision 0003)."""

import asyncio
import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from citynet import bus, db, embedded, migrate
from citynet.part import Part
from citynet.settings import Settings

# Taken out of the environment: cities that a test starts as a whole bring their own server.
# Not under the name of the setting, or every city of the tests would use it; under another one for pytest's workers.
OUTSIDE = os.environ.pop("CITYNET_DATABASE_URL", "") or os.environ.get("TESTS_DATABASE_URL", "")
os.environ["TESTS_DATABASE_URL"] = OUTSIDE
TEMPLATE = f"citynet_template_{os.getpid()}"
# gRPC must keep its hands off the forks by which servers are started: gateway/chirpstack/__init__.py says why.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
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


class Outside(embedded.Postgres):
    """A server that somebody else runs: no process of ours."""

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(settings)
        self.url = url

    @property
    def admin_url(self) -> str:
        """URL of the superuser, as it was given."""
        return self.url


def outside_server(home: Path) -> Outside:
    """The server of CITYNET_DATABASE_URL. Its roles serve every worker of pytest, so their passwords are alike."""
    url = urlsplit(OUTSIDE)
    (home / "secrets").mkdir(exist_ok=True)
    for role in (*db.ROLES, "owner"):
        (home / "secrets" / f"db_{role}").write_text(hashlib.sha256(f"{OUTSIDE} {role}".encode()).hexdigest())
    (home / "secrets" / "db_admin").write_text(url.password or "")
    address = f"postgresql://{url.hostname}:{url.port or 5432}/postgres"
    return Outside(Settings(home=home, database_url=address, postgres_port=url.port or 5432), OUTSIDE)


def bundled_server(home: Path) -> embedded.Postgres:
    """A server of our own; fsync off: these tests kill no machine."""
    server = embedded.Postgres(Settings(home=home, postgres_port=embedded.free_port()))
    fast = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "256MB"}
    server.start(options=fast)
    return server


@pytest.fixture(scope="session")
def postgres(server_home: Path) -> Iterator[embedded.Postgres]:
    """One PostgreSQL for the session with the template database."""
    server = outside_server(server_home) if OUTSIDE else bundled_server(server_home)
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(72757)")  # another worker of pytest may be at the same roles
        migrate.create_roles(admin, server.settings)
        migrate.create_database(admin, TEMPLATE)
        migrate.migrate(database_url(server, TEMPLATE))
        seal(admin, TEMPLATE)
    yield server
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(TEMPLATE)))
    server.stop()


def seal(admin: psycopg.Connection, name: str) -> None:
    """Nobody may connect any more, the scheduler of TimescaleDB included: a database in use cannot be cloned."""
    admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    while admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]).fetchone():
        continue


def address(server: embedded.Postgres, name: str) -> str:
    """URL of a database of the test server without a user."""
    host = urlsplit(server.admin_url).hostname
    return f"postgresql://{host}:{server.settings.postgres_port}/{name}"


def database_url(server: embedded.Postgres, name: str) -> str:
    """URL of a database of the test server as owner."""
    return db.dsn(server.settings.model_copy(update={"database_url": address(server, name)}), "owner")


@pytest.fixture
def city(postgres: embedded.Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a city of its own for one test: a database cloned from the template, its own home and ports."""
    name = f"city_{abs(hash((request.node.nodeid, str(tmp_path))))}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER citynet_owner STRATEGY file_copy")
        admin.execute(query.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    shutil.copytree(postgres.settings.home / "secrets", tmp_path / "secrets")
    yield Settings(
        home=tmp_path,
        database_url=address(postgres, name),
        nats_port=embedded.free_port(),
        mqtt_port=embedded.free_port(),
        web_port=embedded.free_port(),
        push_port=embedded.free_port(),
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
    # Its streams go with the folder: an orderly stop would flush them for half a second.
    if server.process:
        embedded.stop(server.process, with_signal=signal.SIGKILL)


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


async def make_part(settings: Settings, name: str, *, role: str, user: str = "") -> Part:
    """A part of a running city inside the test process; close with citynet.part.close_part."""
    database = await db.Database(db.dsn(settings, role)).open()
    part = Part(name, settings, database, await bus.connect(settings, user or role))
    await part.load_clock()
    return part


@pytest.fixture
async def owner_db(city: Settings) -> AsyncIterator[db.Database]:
    """The database with the rights of its owner: what no part may read or write."""
    database = await db.Database(db.dsn(city, "owner"), size=2).open()
    yield database
    await database.close()
