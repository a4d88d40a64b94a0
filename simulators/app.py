"""The simulated city as one process: registers itself, fills in the past, lives until it is stopped."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import files
from pathlib import Path

import msgspec
import structlog

from citynet import bus, db
from citynet.bus import NatsBus
from citynet.clock import Clock, wall_clock
from citynet.db import Database
from citynet.errors import Unavailable
from citynet.model import PartStats, Proposal
from citynet.settings import Settings
from simulators import faults, history, registration, tracks, world
from simulators.fleet import Fleet
from simulators.ledger import Ledger
from simulators.physics.city import City
from simulators.physics.rhythm import DAY_S
from simulators.replay import Player

log = structlog.get_logger()
DEFAULT_SEED = 7
SAVE_EVERY_S = 10.0
FIRST_FAULTS_S = 600.0  # all kinds of faults within ten minutes of a city's first start
THEN_HOURS = 24.0 * 30
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How to simulate. faults_s: length of the time line of first faults; 0 plants none."""

    seed: int = DEFAULT_SEED
    backfill_days: float = 28.0
    faults_s: float = FIRST_FAULTS_S
    then_hours: float = THEN_HOURS
    keep_ledger: bool = False
    resume: bool = True
    recording: bool = True  # the water-flow series of the installed river package as one more device


@dataclass
class Memory:
    """What the simulator remembers between two starts, in <home>/simulator.json."""

    path: Path
    seed: int = 0
    faults_from: float = 0.0
    until: float = 0.0
    state: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    f_cnt: dict[str, int] = field(default_factory=dict)

    def load(self, seed: int) -> bool:
        """Reads the file; False if there is none for this seed."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            found = json.loads(self.path.read_text())
            if found["seed"] == seed:
                self.faults_from, self.until = found["faults_from"], found["until"]
                self.state, self.f_cnt, self.seed = found["state"], found["f_cnt"], seed
                return True
        return False

    def save(self) -> None:
        """Writes the file in one step, so that a kill leaves the old one or the new one."""
        body = {name: getattr(self, name) for name in ("seed", "faults_from", "until", "state", "f_cnt")}
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(body))
        fresh.replace(self.path)


class Simulator:
    """A fleet with its past, its memory and its connection to the registry."""

    def __init__(self, settings: Settings, plan: Plan, clock: Clock, *, say: Say = lambda line: None) -> None:
        self.settings, self.plan, self.clock, self.say = settings, plan, clock, say
        self.ledger = Ledger(keep=plan.keep_ledger)
        self.world = world.build(plan.seed)
        self.memory = Memory(settings.home / "simulator.json")
        self.resumed = plan.resume and self.memory.load(plan.seed)
        now = clock.now().timestamp()
        self.city = City(self.world, now)
        self.memory.seed = plan.seed
        if self.resumed:
            self.city.restore(self.memory.state)
        else:
            self.memory.faults_from = now
        self.tracks = self.water_flow()
        self.fleet: Fleet | None = None
        self.player: Player | None = None
        self.stopping = asyncio.Event()

    @property
    def faults(self) -> list[faults.Fault]:
        """The time line of this plan."""
        if not self.plan.faults_s:
            return []
        return faults.schedule(self.world, self.plan.seed, self.plan.faults_s, then_hours=self.plan.then_hours)

    @property
    def recorded(self) -> list[Proposal]:
        """The devices of recordings."""
        return [track.proposal for track in self.tracks]

    async def register(self) -> int:
        """Proposes the whole city; the number of objects that were new or changed."""
        async with patient_bus(self.settings) as client:
            began = time.monotonic()
            changed = await registration.propose(client, "simulators", self.world.objects, settings=self.settings)
            changed += await registration.propose(client, "recordings", self.recorded, settings=self.settings)
        self.say(f"  city of {len(self.world.objects)} objects registered in {time.monotonic() - began:.1f} s")
        return changed

    def connect(self) -> Fleet:
        """Puts the fleet on its wires; what a former time line has already ended stays over."""
        line = faults.FaultLine(self.faults, self.memory.faults_from)
        self.fleet = Fleet(self.settings, self.city, self.clock, line=line, ledger=self.ledger, recorded=self.recorded)
        self.fleet.radio.f_cnt.update(self.memory.f_cnt)
        self.fleet.wires.start()
        ahead = [track.since(self.memory.until) for track in self.tracks]
        self.player = Player(ahead, self.fleet.wires, self.clock, limits=self.settings)
        return self.fleet

    def set_clock(self, clock: Clock) -> None:
        """The city goes on by another clock; faults are counted from now."""
        self.clock, self.memory.faults_from = clock, clock.now().timestamp()
        if self.fleet and self.player:
            self.fleet.set_clock(clock, faults.FaultLine(self.faults, self.memory.faults_from))
            self.player.clock = clock

    def water_flow(self) -> list[tracks.Track]:
        """The real series that comes with the installed packages, moved so that four weeks of it lie behind."""
        path = next((f for f in files("river") or [] if f.name == "water-flow.csv"), None)
        if path is None or not self.plan.recording:
            return []
        recording = Path(str(path.locate()))
        found = tracks.read_tracks(recording, tracks.mapping_for(recording, None))
        start = datetime.fromtimestamp(self.memory.faults_from, UTC)
        return tracks.rebase(found, start, self.plan.backfill_days * DAY_S)

    async def backfill(self) -> int:
        """Publishes what the city has not told yet of the last days; the number of values."""
        fleet = self.fleet or self.connect()
        now = self.clock.now().timestamp()
        start = max(now - self.plan.backfill_days * DAY_S, self.memory.until)
        began = time.monotonic()
        values = await history.backfill(self.city, fleet.wires, self.settings, start=start, end=now)
        values += await self.player.past() if self.player else 0
        fleet.wires.shared.stop()
        if values:
            days = (now - start) / DAY_S
            self.say(f"  {days:.1f} days of history ({values} values) sent in {time.monotonic() - began:.1f} s")
        return values

    async def live(self) -> None:
        """Lives until stopping is set; leaves no unacknowledged message and a saved memory."""
        fleet = self.fleet or self.connect()
        if not self.resumed:
            fleet.radio.joins(self.clock.now().timestamp())
        bodies = [self._statistics(), self._save(), *([self.player.live(self.stopping)] if self.player else [])]
        tasks = [asyncio.create_task(body) for body in bodies]
        try:
            await fleet.run(self.stopping)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await fleet.wires.drain(10.0)
            self.remember()
            fleet.wires.stop()

    def remember(self) -> None:
        """Saves what must survive."""
        self.memory.until = self.clock.now().timestamp()
        self.memory.state = self.city.state()
        self.memory.f_cnt = dict(self.fleet.radio.f_cnt) if self.fleet else {}
        self.memory.save()

    async def _save(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            self.remember()

    async def _statistics(self) -> None:
        async with patient_bus(self.settings) as client:
            while True:
                ledger, fleet = self.ledger, self.fleet
                counters = {"messages": ledger.messages, "values": ledger.live_values, "history": ledger.history_values}
                stats = PartStats("simulate", os.getpid(), True, counters, fleet.wires.gauges() if fleet else {})
                with contextlib.suppress(Unavailable):
                    await client.push("stats.simulate", msgspec.json.encode(stats))
                await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def patient_bus(settings: Settings) -> AsyncIterator[NatsBus]:
    """A bus for the simulator, waiting for the broker as long as it takes."""
    while True:
        try:
            client = await bus.connect(settings, "simulator")
            break
        except Unavailable as error:
            log.info("waiting for the broker", error=str(error))
            await asyncio.sleep(0.5)
    try:
        yield client
    finally:
        await client.close()


async def city_clock(settings: Settings) -> Clock:
    """The clock of the running city."""
    database = await Database(db.dsn(settings, "center"), size=1).open()
    try:
        row = await database.row("SELECT origin, wall_origin, speed FROM city_clock")
    finally:
        await database.close()
    return Clock(row["origin"], row["wall_origin"], row["speed"]) if row else wall_clock()


async def run(settings: Settings, plan: Plan, *, clock: Clock | None = None, say: Say = print) -> None:
    """`citynet simulate`: register, fill in the past, live until cancelled or stopped by a signal."""
    simulator = Simulator(settings, plan, clock or await city_clock(settings), say=say)
    await simulator.register()
    simulator.connect()
    await simulator.backfill()
    say(f"  {sum(map(len, simulator.world.devices.values()))} devices live; faults: {len(simulator.faults)} planned")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, simulator.stopping.set)
    await simulator.live()
