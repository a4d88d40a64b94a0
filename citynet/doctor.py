"""`citynet doctor`: says what is wrong with this machine or city and what to do about it."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

from citynet import bus, db, embedded, migrate
from citynet.bus import Incoming
from citynet.errors import CitynetError
from citynet.settings import Settings
from citynet.supervisor import FREE_BYTES_MIN

SIGN_OF_LIFE_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: name, whether all is well, and the remedy when it is not."""

    name: str
    well: bool
    text: str


def _python(_: Settings) -> Finding:
    well = sys.version_info >= (3, 11)
    return Finding("python", well, f"{sys.version.split()[0]}" + ("" if well else ": citynet needs 3.11 or newer"))


def _home(settings: Settings) -> Finding:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".probe"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        return Finding("home", False, f"{home} cannot be written ({error.strerror}): give rights or set CITYNET_HOME")
    return Finding("home", True, str(home))


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.parent).free
    well = free >= FREE_BYTES_MIN
    return Finding("disk", well, f"{free // 1_000_000} MB free" + ("" if well else ": free some space"))


def _folder(settings: Settings) -> Finding:
    if settings.database_url:
        return Finding("data folder", True, "an outside database is used")
    data = settings.home / "postgres" / "data"
    if not data.exists():
        return Finding("data folder", True, "empty: the first start makes it")
    if not (data / "citynet.ready").exists():
        return Finding("data folder", False, f"{data} is half written: the next start makes it anew, nothing was in it")
    if not (data / "PG_VERSION").exists() or not (data / "global" / "pg_control").exists():
        return Finding("data folder", False, f"{data} lacks PostgreSQL files: restore a backup or remove the folder")
    return Finding("data folder", True, str(data))


def _database(settings: Settings) -> Finding:
    try:
        with psycopg.connect(db.dsn(settings, "owner"), connect_timeout=3) as conn:
            problem = migrate.check(conn)
            return Finding("database", not problem, problem or f"schema {migrate.current_version(conn)}")
    except psycopg.Error as error:
        words = str(error).strip().splitlines()[0]
        return Finding("database", False, f"does not answer ({words}): run `citynet up`, or see CITYNET_DATABASE_URL")


def _broker(settings: Settings) -> Finding:
    async def states() -> str:
        async with bus.connected(settings, "admin") as client:
            messages, size, _ = await client.stream_state("UPLINKS")
            share = size / settings.uplinks_max_bytes
            return f"UPLINKS holds {messages} frames, {share:.0%} of its room"

    try:
        return Finding("broker", True, asyncio.run(states()))
    except CitynetError as error:
        return Finding("broker", False, str(error))


def _sign_in(settings: Settings) -> Finding:
    async def heard() -> None:
        async with bus.connected(settings, "admin") as client:
            alive = asyncio.Event()

            async def hear(_: Incoming) -> None:
                alive.set()

            await client.subscribe("stats.identity", hear)
            await asyncio.wait_for(alive.wait(), SIGN_OF_LIFE_S)

    try:
        asyncio.run(heard())
    except TimeoutError:
        return Finding("sign-in", False, "no device can sign in: run `citynet up` or `citynet run identity`")
    except CitynetError as error:
        return Finding("sign-in", False, str(error))
    return Finding("sign-in", True, "devices are answered")


def _screen(settings: Settings) -> Finding:
    if embedded.port_taken(settings.web_host, settings.web_port):
        return Finding("screen", True, f"something answers on port {settings.web_port}")
    return Finding("screen", False, f"nothing on port {settings.web_port}: run `citynet up`")


CHECKS: list[Callable[[Settings], Finding]] = [_python, _home, _disk, _folder, _database, _broker, _sign_in, _screen]


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, cheap ones first. Never raises for a sick city."""
    for check in CHECKS:
        yield check(settings)
