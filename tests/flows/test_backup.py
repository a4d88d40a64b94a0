"""A backup is put back, and the broker fills what came after it: by pg_dump and by a base backup, each reading once."""

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from citynet import db, embedded, migrate
from citynet.bus import GATEWAY_UPLINKS, INGEST_LIVE, NatsBus
from citynet.db import Database
from citynet.errors import Conflict
from citynet.rewind import rewind
from citynet.settings import Settings
from simulators.load import Load, fleet
from tests.conftest import OUTSIDE, address
from tests.support import gateway as field
from tests.support.gateway import LAMP, running
from tests.support.readings import eventually, running_ingest

pytestmark = pytest.mark.skipif(bool(OUTSIDE), reason="the programs of PostgreSQL are those of the bundled server")
MESSAGES = 40
ALL = "SELECT count(*) AS n, count(DISTINCT (series_id, time)) AS keys, sum(value) AS total FROM reading"


def program(name: str, *arguments: str, as_user: str | None = None) -> None:
    """A program of the bundled PostgreSQL."""
    binaries = Path(os.environ["CITYNET_POSTGRES_BIN"])
    env = {"LD_LIBRARY_PATH": str(binaries.parent / "lib"), "PATH": os.environ["PATH"]}
    subprocess.run([str(binaries / name), *arguments], env=env, check=True, capture_output=True, user=as_user)


def send(city: Settings, start: datetime) -> None:
    """So many messages of one device, all acknowledged."""
    messages = fleet([LAMP], messages=MESSAGES, moments=1, keys=["level"], start=start)
    Load(city, messages, client_id=f"load-{start:%S%f}").run(limit_s=60)


async def stored(city: Settings) -> dict[str, float]:
    database = await Database(db.dsn(city, "owner"), size=1).open()
    try:
        return (await database.row(ALL)) or {}
    finally:
        await database.close()


async def through(city: Settings, bus: NatsBus) -> dict[str, float]:
    """Run gateway and ingest until nothing waits; what is stored then."""

    async def nothing_waits() -> bool:
        return not any([await bus.pending(one) for one in (*GATEWAY_UPLINKS, INGEST_LIVE)])

    async with running_ingest(city), running(city):
        await eventually(nothing_waits)
    return await stored(city)


@pytest.fixture
def dumped(city: Settings, postgres: embedded.Postgres, tmp_path: Path) -> Iterator[Settings]:
    """Where a dump is restored: an empty database of its own."""
    name = f"restored_{os.getpid()}"
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        migrate.create_database(admin, name)
        yield city.model_copy(update={"database_url": address(postgres, name)})
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def copied(city: Settings, server_home: Path) -> Iterator[embedded.Postgres]:
    """Where a base backup is restored: a new server in a folder of its own."""
    home = server_home / "restored"
    server = embedded.Postgres(Settings(home=home, postgres_port=embedded.free_port()))
    shutil.copytree(city.home / "secrets", home / "secrets")
    server.prepare()
    yield server
    server.stop()
    shutil.rmtree(home)


async def test_what_came_after_the_backup_comes_again_from_the_broker(
    city: Settings,
    postgres: embedded.Postgres,
    admin_bus: NatsBus,
    center_db: Database,
    dumped: Settings,
    copied: embedded.Postgres,
    tmp_path: Path,
) -> None:
    await field.plant(center_db)
    config = (await admin_bus.js.stream_info("READINGS")).config
    config.duplicate_window = 0.1  # as if minutes had gone by since these frames came first
    await admin_bus.js.update_stream(config)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    await asyncio.to_thread(send, city, start)
    early = await through(city, admin_bus)
    taken = datetime.now(UTC)
    dump = tmp_path / "city.dump"
    program("pg_dump", "--format=custom", f"--file={dump}", db.dsn(city, "owner"))
    user = pwd.getpwnam(embedded.SERVICE_USER).pw_name if os.geteuid() == 0 else None
    base = ["--pgdata", str(copied.data), "--checkpoint=fast", "--wal-method=stream"]
    program("pg_basebackup", *base, "--dbname", postgres.admin_url, as_user=user)
    program("pg_verifybackup", str(copied.data), as_user=user)
    await asyncio.to_thread(send, city, start + timedelta(seconds=MESSAGES))
    late = await through(city, admin_bus)
    assert [(one["n"], one["keys"]) for one in (early, late)] == [(MESSAGES, MESSAGES), (2 * MESSAGES, 2 * MESSAGES)]
    # The durables are ahead of a database from a backup, and behind one that is whole.
    program("pg_restore", "--exit-on-error", f"--dbname={db.dsn(dumped, 'owner')}", str(dump))
    copied.start()
    path = urlsplit(city.database_url).path
    on_copy = city.model_copy(update={"database_url": f"postgresql://127.0.0.1:{copied.settings.postgres_port}{path}"})
    for what, place, before, since in (
        ("dump", dumped, early, taken),
        ("base backup", on_copy, early, taken),
        ("nothing lost", city, late, start),
    ):
        assert await stored(place) == before
        found = await rewind(admin_bus, since - timedelta(seconds=1))
        after = await through(place, admin_bus)
        again = {one.stream: one.frames for one in found}
        print(
            f"{what}: {before['n']} before, {again['UPLINKS']} frames again, {after['n']} stored, {after['keys']} keys"
        )
        assert again["UPLINKS"] >= MESSAGES
        assert after == late


async def test_nothing_is_rewound_under_a_part_at_work(city: Settings, admin_bus: NatsBus) -> None:
    async def refused() -> bool:
        try:
            await rewind(admin_bus, datetime.now(UTC))
        except Conflict:
            return True
        return False

    async with running(city):
        await eventually(refused)
