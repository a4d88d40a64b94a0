"""`citynet demo-check`: a whole city in a temporary home, with the simulator's truth held against its database."""

import asyncio
import dataclasses
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from citynet import bus, db, embedded, registry
from citynet.clock import Clock
from citynet.db import Database, Row
from citynet.errors import Unavailable
from citynet.supervisor import City
from simulators.app import Plan, Simulator, city_clock
from simulators.faults import Fault
from simulators.proof import orders, tally
from simulators.proof.latency import Arrivals
from simulators.proof.screen import Screen
from simulators.proof.webhook import Receiver

Say = Callable[[str], None]
HISTORY_LIMIT_S = 300.0
SETTLE_LIMIT_S = 60.0
SCREEN_LIMIT_S = 30.0
ORDERS_AFTER_S = 420.0  # city seconds after the later of leak and outage


@dataclass
class Report:
    """What demo-check prints: counts, delays in city seconds, latencies in wall milliseconds."""

    uplinks_in: int = 0
    readings_stored: int = 0
    duplicated: int = 0
    lost: int = 0
    quarantined: int = 0
    events: int = 0
    incidents: int = 0
    webhooks_delivered: int = 0
    commands_confirmed: int = 0
    commands_unknown: int = 0
    faults_planted: int = 0
    faults_found: int = 0
    fault_delay_s_max: float = 0.0
    stored_ms_p50: float = math.nan
    stored_ms_p99: float = math.nan
    screen_ms_p50: float = math.nan
    screen_ms_p99: float = math.nan
    backfill_values: int = 0
    backfill_s: float = 0.0

    def figures(self) -> dict[str, int | float | None]:
        """All fields; a figure that could not be measured is None."""
        return {name: None if value != value else value for name, value in dataclasses.asdict(self).items()}

    def failures(self) -> list[str]:
        """Why the check failed; empty when it passed."""
        lines = []
        if self.lost:
            lines.append(f"{self.lost} acknowledged values are not in the database")
        if self.duplicated:
            lines.append(f"{self.duplicated} stored values were doubled or never sent")
        if self.faults_found < self.faults_planted:
            lines.append(f"{self.faults_planted - self.faults_found} planted faults were not found in time")
        return lines


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A new folder that the unprivileged user of PostgreSQL can reach; removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="citynet-check-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def check(*, seconds: float, speed: float, seed: int, say: Say) -> Report:
    """Runs the whole check; raises CitynetError when the city does not even start."""
    with temporary_home() as home, Receiver() as receiver:
        settings = embedded.apart(home, allow_private_webhooks=True)
        with City(settings, say=say) as city, ExitStack() as failed:
            failed.callback(_keep_logs, home, say)
            report = asyncio.run(Check(city, receiver, seconds=seconds, speed=speed, seed=seed, say=say).run())
            if not report.failures():
                failed.pop_all()
            return report


def _keep_logs(home: Path, say: Say) -> None:
    """A failed check leaves the logs of its parts for reading."""
    kept = Path(tempfile.mkdtemp(prefix="citynet-check-logs-"))
    with suppress(OSError):
        shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
        say(f"  the logs of the parts are kept in {kept}")


class Check:
    """One run: backfill, life at speed, commands, comparison."""

    def __init__(self, city: City, receiver: Receiver, *, seconds: float, speed: float, seed: int, say: Say) -> None:
        self._city, self._settings, self._receiver, self._say = city, city.settings, receiver, say
        self._seconds, self._speed = seconds, speed
        self._plan = Plan(seed=seed, faults_s=seconds * speed, then_hours=0, keep_ledger=True, resume=False)
        self._report = Report()
        self._stored, self._shown = Arrivals(), Screen()

    async def run(self) -> Report:
        """The report; raises CitynetError when a step is impossible."""
        database = await Database(db.dsn(self._settings, "center"), size=2).open()
        self._readings = await Database(db.dsn(self._settings, "analytics"), size=1).open()
        watching = asyncio.create_task(self._watch())
        try:
            await self._steps(database)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._readings.close()
            await database.close()
        return self._report

    async def _steps(self, database: Database) -> None:
        await asyncio.to_thread(self._city.set_clock)
        simulator = Simulator(self._settings, self._plan, await city_clock(self._settings), say=self._say)
        await simulator.register()
        key = await asyncio.to_thread(orders.api_key, self._settings)
        try:
            self._receiver.secret = await orders.add_webhook(self._city.web_url, key, self._receiver.url)
        except Unavailable as error:
            self._say(f"  {error}")
        await self._backfill(simulator, database)
        screen = await self._open_screen()
        await asyncio.to_thread(self._city.set_clock, speed=self._speed)
        clock = await city_clock(self._settings)
        simulator.set_clock(clock)
        self._say(f"  {self._seconds:.0f} s at {self._speed:.0f}x: {len(simulator.faults)} faults planned")
        await self._live(simulator, database, key, screen=screen)
        await self._compare(simulator, database, clock)

    async def _watch(self) -> None:
        while True:
            await asyncio.to_thread(self._city.watch)
            await asyncio.sleep(0.5)

    async def _backfill(self, simulator: Simulator, database: Database) -> None:
        began = time.monotonic()
        simulator.connect()
        values = await simulator.backfill()
        stored = await tally.wait_for_rows(self._readings, values, HISTORY_LIMIT_S)
        self._report.backfill_values, self._report.backfill_s = stored, round(time.monotonic() - began, 1)
        self._say(f"  {stored} of {values} history values stored in {self._report.backfill_s} s")
        await self._learned()
        self._say(f"  and learned by analytics after {time.monotonic() - began:.1f} s")

    async def _learned(self) -> None:
        """Waits until analytics has taken the whole history."""
        async with bus.connected(self._settings, "admin") as client:
            until = time.monotonic() + HISTORY_LIMIT_S
            while time.monotonic() < until:
                if not sum([await client.pending(consumer) for consumer in bus.ANALYTICS_HISTORY]):
                    return
                await asyncio.sleep(0.5)

    async def _open_screen(self) -> asyncio.Task[None]:
        """A screen that somebody already looks at: what is published before would count the sign-in as its way."""
        screen = asyncio.create_task(self._shown.follow(self._city.web_url, self._city.account_link))
        opened = asyncio.create_task(self._shown.opened.wait())
        await asyncio.wait([screen, opened], timeout=SCREEN_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        return screen

    async def _live(self, simulator: Simulator, database: Database, key: str, *, screen: asyncio.Task[None]) -> None:
        async with bus.connected(self._settings, "simulator") as client:
            await client.subscribe("live.newest", self._stored.on_newest)
            commands = asyncio.create_task(self._order(simulator, key))
            living = asyncio.create_task(simulator.live())
            await asyncio.sleep(self._seconds)
            simulator.stopping.set()
            await living
            # A stopped fleet is a silent one: at 60x the city would raise every no-data alarm while it finishes.
            await asyncio.to_thread(self._city.set_clock, origin=simulator.clock.now())
            await self._settle(simulator, database)
            screen.cancel()
            for result in await asyncio.gather(screen, commands, return_exceptions=True):
                if isinstance(result, Exception):
                    self._say(f"  {type(result).__name__}: {result}")

    async def _order(self, simulator: Simulator, key: str) -> None:
        """Commands while leak and outage last: lamps of both protocols, a cabinet, a dead lamp, the leak's valve."""
        starts = [fault.start_s for fault in simulator.faults if fault.kind in ("leak", "cabinet_out")]
        await asyncio.sleep((max(starts) + ORDERS_AFTER_S) / self._speed)
        await orders.send(self._city.web_url, key, _wanted(simulator))

    async def _settle(self, simulator: Simulator, database: Database) -> None:
        """Lets the pipeline finish what was acknowledged."""
        ledger = simulator.ledger
        await tally.wait_for_rows(self._readings, ledger.live_values + ledger.history_values, SETTLE_LIMIT_S)

    async def _compare(self, simulator: Simulator, database: Database, clock: Clock) -> None:
        known = await registry.load(database)
        notes, report = simulator.ledger.notes, self._report
        result = await tally.tally(self._readings, known, notes)
        report.uplinks_in = simulator.ledger.messages
        report.readings_stored, report.lost = result.stored, result.lost + result.unmapped
        report.duplicated = result.doubled
        report.stored_ms_p50, report.stored_ms_p99 = self._stored.percentiles_ms(known, notes)
        report.screen_ms_p50, report.screen_ms_p99 = self._shown.percentiles_ms(known, notes)
        report.webhooks_delivered = len(self._receiver.delivered)
        await self._count(database)
        await self._find_faults(simulator, database, clock)

    async def _count(self, database: Database) -> None:
        row = await database.row(
            "SELECT (SELECT count(*) FROM quarantine) AS quarantined, (SELECT count(*) FROM event) AS events, "
            "(SELECT count(*) FROM incident) AS incidents, "
            "(SELECT count(*) FROM command WHERE state = 'confirmed') AS commands_confirmed, "
            "(SELECT count(*) FROM command WHERE state IN ('unknown', 'unknown_final', 'expired')) AS commands_unknown"
        )
        for name, value in (row or {}).items():
            setattr(self._report, name, value)

    async def _find_faults(self, simulator: Simulator, database: Database, clock: Clock) -> None:
        """A fault is found when one of its rules opened on its object and the event was stored in time."""
        rows = await database.rows(
            "SELECT o.key, e.rule_id, e.time, e.recorded FROM event e JOIN object o USING (object_id) "
            "WHERE e.edge = 'open' ORDER BY e.recorded"
        )
        self._report.faults_planted = len(simulator.faults)
        planned = {(f.key, rule) for f in simulator.faults for rule in f.rules}
        for fault in simulator.faults:
            begun = simulator.memory.faults_from + fault.start_s
            seen = [clock.at(r["recorded"]).timestamp() - begun for r in rows if _finds(r, fault)]
            delay = next((span for span in seen if span > 0), None)
            if delay is None or delay > fault.max_delay_s:
                self._say(f"  not found: {fault.kind} at {fault.key} (delay {delay})")
                continue
            self._say(f"  found: {fault.kind} at {fault.key} after {delay:.0f} s of city time")
            self._report.faults_found += 1
            self._report.fault_delay_s_max = max(self._report.fault_delay_s_max, round(delay, 1))
        others = [r for r in rows if (r["key"], r["rule_id"]) not in planned]
        for row in others[:20]:
            self._say(f"  also raised: {row['rule_id']} on {row['key']} at {row['time']:%H:%M:%S}")


def _finds(row: Row, fault: Fault) -> bool:
    return row["key"] == fault.key and row["rule_id"] in fault.rules


def _wanted(simulator: Simulator) -> list[orders.Order]:
    """Orders on living devices, and one on a lamp whose cabinet is out."""
    truth = {fault.kind: fault.key for fault in simulator.faults}
    dead = truth.get("cabinet_out", "")
    lamps = simulator.world.devices["lamp"]
    living = [p for p in lamps if p.parent != dead]
    native = [p.key for p in living if p.device and p.device.protocol == "native"]
    radio = [p.key for p in living if p.device and p.device.protocol == "chirpstack"]
    cabinet = next(p.key for p in simulator.world.devices["cabinet"] if p.key not in (dead, lamps[0].parent))
    wanted = [orders.Order(key, "dim", {"level": 35.0}) for key in [*native[:5], *radio[:5]]]
    wanted.append(orders.Order(cabinet, "dim", {"level": 60.0}))
    wanted += [orders.Order(p.key, "dim", {"level": 35.0}, works=False) for p in lamps if p.parent == dead][:1]
    if "leak" in truth:
        wanted.append(orders.Order(f"valve/{truth['leak'].rpartition('/')[2]}-2", "close", {}))
    return wanted
