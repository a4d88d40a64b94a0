"""A city for measurements: its own servers and parts, a fleet of air stations, clean tables before each run."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from citynet import db, embedded
from citynet.catalog import catalog
from citynet.model import DeviceSpec, Proposal, ProposalRequest
from citynet.settings import Settings
from citynet.supervisor import City
from situation_center import registry_write

PARTS = ("gateway", "ingest", "analytics", "worker")
PROFILE = "air-station"
KEYS = ("pm25", "pm10", "no2", "temperature", "humidity")
OBJECTS = 500  # objects in one proposal
TICKS_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def running(parts: tuple[str, ...] = PARTS, *, copies: str = "") -> Iterator[City]:
    """A city in a temporary home that the unprivileged user of PostgreSQL can reach, with default durability."""
    with tempfile.TemporaryDirectory(prefix="citynet-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = embedded.apart(Path(folder) / "city", copies=copies)
        with City(settings, parts=parts) as city:
            yield city


@contextmanager
def paused(city: City, parts: Sequence[str] = PARTS) -> Iterator[None]:
    """Stop the parts for a while, so that a competitor has the machine for itself."""
    processes = [city.children[name].process for name in parts]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def clean(city: City) -> None:
    """Empty tables and nothing left to write from before, the same for every competitor."""
    with psycopg.connect(db.dsn(city.settings, "owner"), autocommit=True) as owner:
        owner.execute("TRUNCATE reading, newest")
    with psycopg.connect(city.postgres.admin_url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")


def cpu_s(city: City) -> dict[str, float]:
    """CPU seconds used so far by each child and by the processes that it has started (backends of PostgreSQL)."""
    children = {child.process.pid: name for name, child in city.children.items()}
    used = dict.fromkeys(children.values(), 0.0)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        name = children.get(int(path.parent.name)) or children.get(int(fields[1]))
        if name:
            used[name] += (int(fields[11]) + int(fields[12])) / TICKS_S
    return used


def helpers_cpu_s(module: str) -> float:
    """CPU seconds used so far by living Python processes of a module that this process has started."""
    used = 0
    for path in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for child in path.read_text().split():
            if module in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                used += int(fields[11]) + int(fields[12])
    return used / TICKS_S


def names(count: int) -> list[str]:
    """External ids of the fleet."""
    return [f"load-{number:05d}" for number in range(count)]


def plant(settings: Settings, devices: Sequence[str]) -> dict[str, list[int]]:
    """Register devices; gives the series of each for KEYS, in their order."""
    asyncio.run(register(settings, [_proposal(device) for device in devices]))
    return series(db.dsn(settings, "center"))


async def register(settings: Settings, proposals: Sequence[Proposal]) -> None:
    """Write the catalogue and the objects into the registry."""
    center = await db.Database(db.dsn(settings, "center")).open()
    try:
        await registry_write.seed_catalog(center, catalog())
        for start in range(0, len(proposals), OBJECTS):
            some = list(proposals[start : start + OBJECTS])
            await registry_write.apply(center, ProposalRequest("bench", some), catalog())
    finally:
        await center.close()


def _proposal(device: str) -> Proposal:
    spec = DeviceSpec(external_id=device, protocol="native", profile=PROFILE)
    return Proposal(
        key=f"bench/{device}", cls="air_station", name_ru=device, name_en=device, lon=37.77, lat=44.72, device=spec
    )


def series(url: str) -> dict[str, list[int]]:
    """The series of each air station for KEYS, in their order."""
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "SELECT d.attributes->>'external_id', s.quantity, s.channel, s.series_id FROM series s"
            " JOIN device_point p ON p.object_id = s.object_id JOIN object_now d ON d.object_id = p.device_id"
        ).fetchall()
    known = {(device, quantity, channel): int(number) for device, quantity, channel, number in rows}
    places = [catalog().profiles[PROFILE].map[key] for key in KEYS]
    devices = dict.fromkeys(device for device, _, _, _ in rows)
    return {device: [known[device, place.quantity, place.channel] for place in places] for device in sorted(devices)}
