"""Disks that fill up, for real, on small file systems of their own: what was acknowledged is stored once, later.

Needs root, to mount them."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bench.city import KEYS, names, plant
from citynet import db, embedded
from citynet.supervisor import City
from simulators.load import Load, fleet
from tests.chaos.test_kill import Stored, expected, stored, wait_until_stored

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount the small disk that is filled here"),
]
MESSAGES, RATE_S, DEVICES = 1_500, 1_000, 50
LIMIT_S = 90.0
ROUNDS_MAX = 20
DISK_MB = 400
SYSTEM = ("system/disk_database", "system/disk_broker")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own in a folder, of DISK_MB. Skips where the kernel gives none."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", "citynet-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path, *, leave_bytes: int) -> Iterator[None]:
    """A file takes all room but so much."""
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - leave_bytes))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture(scope="module")
def city(server_home: Path) -> Iterator[City]:
    """A city whose database and broker have a small disk each."""
    home = server_home / "disks"
    settings = embedded.apart(home, ack_wait_s=3)
    home.mkdir()
    home.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch, small_disk(home / "postgres"), small_disk(home / "nats"):
        # As little as it may have at most: a checkpoint gives no room back.
        patch.setitem(embedded.PG_OPTIONS, "max_wal_size", "64MB")
        patch.setitem(embedded.PG_OPTIONS, "min_wal_size", "64MB")
        with City(settings, parts=("gateway", "ingest")) as city:
            yield city


def until(city: City, check: Callable[[], bool]) -> None:
    """Wait for it while the city is kept alive."""
    end = time.monotonic() + LIMIT_S
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        city.watch()
        threading.Event().wait(0.05)


def rows(city: City, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(db.dsn(city.settings, "owner")) as conn:
        return conn.execute(query.encode()).fetchall()


class Round:
    """A load that begins now, in a thread, and what must be stored of it."""

    number = 0

    def __init__(self, city: City, series: dict[str, list[int]]) -> None:
        Round.number += 1
        self.city, self.series = city, series
        self.start = datetime.now(UTC).replace(microsecond=1000 * Round.number) - timedelta(minutes=1)
        messages = fleet(list(series), messages=MESSAGES, moments=1, keys=KEYS, start=self.start)
        self.load = Load(city.settings, messages, client_id=f"load-{Round.number}", rate_s=RATE_S)
        self.thread = threading.Thread(target=self.load.run, kwargs={"limit_s": LIMIT_S})
        self.thread.start()

    def acknowledged(self) -> Stored:
        """Wait until the whole load is acknowledged; what it says."""
        until(self.city, lambda: not self.thread.is_alive())
        assert self.load.acked_count == MESSAGES
        return expected(self.series, self.load, self.start)

    def arrives(self, what: str) -> None:
        """All of it, once, and nothing set aside."""
        want = self.acknowledged()
        have = wait_until_stored(self.city, want, self.start)
        lost, doubled = want.keys() - have.keys(), have.keys() - want.keys()
        print(f"{what}: acknowledged {len(want)}, stored {len(have)}, lost {len(lost)}, doubled {len(doubled)}")
        assert have == want
        assert rows(self.city, "SELECT reason FROM quarantine") == []


@pytest.fixture(scope="module")
def series(city: City) -> dict[str, list[int]]:
    """The devices of the load, and the objects that the worker would register."""
    with psycopg.connect(db.dsn(city.settings, "owner")) as conn:
        conn.cursor().executemany("INSERT INTO object (key, class) VALUES (%s, 'system')", [[key] for key in SYSTEM])
    return plant(city.settings, names(DEVICES))


def log_of(city: City, server: str) -> bytes:
    return (city.settings.home / "logs" / f"{server}.log").read_bytes()


def test_readings_wait_in_the_broker_before_the_disk_is_full(city: City, series: dict[str, list[int]]) -> None:
    Round(city, series).arrives("with room")
    with filled(city.settings.home / "postgres", leave_bytes=DISK_MB * 1_000_000 // 20):
        until(city, lambda: rows(city, "SELECT FROM condition WHERE rule_id = 'system.disk_full'") != [])
        waiting = Round(city, series)
        assert len(waiting.acknowledged()) == MESSAGES * len(KEYS)
        assert stored(city, waiting.start) == {}
    waiting.arrives("nearly full")
    until(city, lambda: rows(city, "SELECT FROM condition WHERE state = 'active'") == [])
    told = rows(city, "SELECT rule_id, edge, object_id IS NOT NULL FROM event ORDER BY recorded, rule_id DESC")
    assert told == [
        ("system.disk_short", "open", True),
        ("system.disk_full", "open", True),
        ("system.disk_short", "close", True),
        ("system.disk_full", "close", True),
    ]


def test_a_full_disk_of_the_database_loses_nothing(city: City, series: dict[str, list[int]]) -> None:
    """The watch looks elsewhere here: PostgreSQL itself says that there is no room."""
    elsewhere = {"database_disk": str(city.settings.home.parent)}
    city.settings = city.settings.model_copy(update=elsewhere)
    child = city.children["ingest"]
    child.process.kill()
    until(city, lambda: city.children["ingest"].restarts > 0)
    loads: list[Round] = []
    with filled(city.settings.home / "postgres", leave_bytes=0):
        # PostgreSQL has room of its own that it took before: some thousands of readings may still find a place in it.
        while b"No space left on device" not in log_of(city, "postgres"):
            assert len(loads) < ROUNDS_MAX, "the disk is not full"
            loads.append(Round(city, series))
            loads[-1].acknowledged()
    for load in loads:
        load.arrives("full")
    print("PostgreSQL went down" if b"PANIC" in log_of(city, "postgres") else "PostgreSQL refused to write")


def test_a_full_disk_of_the_broker_loses_nothing(city: City, series: dict[str, list[int]]) -> None:
    """Its streams write no more until it starts anew, which the supervisor sees to once there is room."""
    with filled(city.settings.home / "nats", leave_bytes=0):
        load = Round(city, series)
        until(city, lambda: b"no space left on device" in log_of(city, "nats"))
        before = load.load.acked_count
        assert before < MESSAGES
    load.arrives(f"broker full after {before} messages")
