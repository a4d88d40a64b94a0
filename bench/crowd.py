"""A gateway in a large city: how soon it works, what it holds when all devices have spoken, how soon it follows."""

import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg

from citynet import bus, db
from citynet.bus import Incoming, NatsBus
from citynet.catalog import catalog
from citynet.model import column, unpack_readings
from citynet.supervisor import City
from simulators.load import Load, telemetry
from situation_center import registry_write

SQL = db.named_sql(Path(__file__).with_name("crowd.sql"))
PROFILE = "lamp"
LIMIT_S = 180.0
POLL_S = 0.01


def name(number: int) -> str:
    """Identifier of a device on the wire."""
    return f"crowd-{number:06d}"


def fill(city: City, count: int) -> None:
    """Register count devices, each with a point of its own and a series for each key of the profile."""
    asyncio.run(_catalogue(city))
    quantities = [mapping.quantity for mapping in catalog().profiles[PROFILE].map.values()]
    with psycopg.connect(db.dsn(city.settings, "owner")) as conn:
        for query in ("objects", "versions", "ties", "series"):
            conn.execute(SQL[query], {"count": count, "quantities": quantities})
        conn.execute("ANALYZE")


async def _catalogue(city: City) -> None:
    center = await db.Database(db.dsn(city.settings, "center")).open()
    try:
        await registry_write.seed_catalog(center, catalog())
    finally:
        await center.close()


class Watcher:
    """Hears every readings batch as the gateway publishes it."""

    def __init__(self) -> None:
        self.rows = 0
        self.series: set[int] = set()
        self._news = asyncio.Event()

    async def hear(self, message: Incoming) -> None:
        """Note what a batch holds."""
        found = column(unpack_readings(message.data), "series_id").tolist()
        self.rows += len(found)
        self.series.update(found)
        self._news.set()

    async def until(self, rows: int) -> None:
        """Until so many rows were heard. Raises TimeoutError."""
        async with asyncio.timeout(LIMIT_S):
            while self.rows < rows:
                self._news.clear()
                await self._news.wait()


async def speak(admin: NatsBus, level: float) -> None:
    """One uplink of the first device, with every key."""
    body = {"values": dict.fromkeys(catalog().profiles[PROFILE].map, level)}
    await admin.publish(f"up.0.{name(0)}.native.up", msgspec.json.encode(body))


def end(city: City) -> None:
    """The gateway ends, where one runs."""
    if "gateway" in city.children:
        child = city.children.pop("gateway")
        child.process.terminate()
        child.process.wait(30)


async def start_s(city: City, admin: NatsBus, *, rounds: int) -> float:
    """Seconds from the start of the process to the readings of an uplink that was waiting; median."""
    took = []
    for number in range(rounds):
        watcher = Watcher()
        unsubscribe = await admin.subscribe("readings.live.*", watcher.hear)
        end(city)
        await speak(admin, float(number))
        began = time.perf_counter()
        city.start_part("gateway")
        await watcher.until(1)
        took.append(time.perf_counter() - began)
        await unsubscribe()
    return statistics.median(took)


async def everybody_speaks(city: City, admin: NatsBus, count: int) -> None:
    """An uplink of each device by MQTT, until all are readings."""
    watcher = Watcher()
    unsubscribe = await admin.subscribe("readings.live.*", watcher.hear)
    now = (datetime.now(UTC) - timedelta(minutes=1)).timestamp()
    keys = list(catalog().profiles[PROFILE].map)
    messages = [telemetry(name(number), [now], keys, value=1.0) for number in range(count)]
    load = Load(city.settings, messages, client_id="crowd")
    await asyncio.to_thread(load.run, limit_s=LIMIT_S)
    await watcher.until(count * len(keys))
    await unsubscribe()


def rss_mb(city: City) -> float:
    """Resident memory of the gateway."""
    status = Path(f"/proc/{city.children['gateway'].process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


async def change_s(city: City, admin: NatsBus, *, rounds: int) -> float:
    """Seconds from the commit of a swap, which nobody announces, to the first readings in the other series; median."""
    took = []
    with psycopg.connect(db.dsn(city.settings, "owner"), autocommit=True) as conn:
        places = [set(series) for _, series in conn.execute(SQL["first"]).fetchall()]
        for number in range(rounds):
            watcher = Watcher()
            unsubscribe = await admin.subscribe("readings.live.*", watcher.hear)
            conn.execute(SQL["swap"])
            began, level = time.perf_counter(), 0.0
            while not places[(number + 1) % 2] <= watcher.series:
                if time.perf_counter() - began > LIMIT_S:
                    raise TimeoutError("the gateway does not follow the registry")
                await speak(admin, level := (level + 1) % 100)
                await asyncio.sleep(POLL_S)
            took.append(time.perf_counter() - began)
            await unsubscribe()
    return statistics.median(took)


async def _measured(city: City, count: int, rounds: int) -> dict[str, float]:
    async with bus.connected(city.settings, "admin") as admin:
        figures = {"start_s": await start_s(city, admin, rounds=rounds)}
        began = time.perf_counter()
        await everybody_speaks(city, admin, count)
        figures["all_have_spoken_s"] = time.perf_counter() - began
        figures["rss_mb"] = rss_mb(city)
        figures["change_s"] = await change_s(city, admin, rounds=rounds)
    return figures


def crowd(city: City, count: int, *, rounds: int) -> dict[str, float]:
    """Figures of a gateway with count devices in the registry. No other gateway may run."""
    fill(city, count)
    return asyncio.run(_measured(city, count, rounds))
