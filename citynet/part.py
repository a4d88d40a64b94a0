"""The running shell of a part: connections, city clock, one active worker, statistics, retries, orderly end."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import structlog

from citynet import bus, db
from citynet.bus import Handler, Incoming, NatsBus
from citynet.clock import Clock, wall_clock
from citynet.errors import Unavailable
from citynet.model import PartStats
from citynet.settings import Settings
from citynet.usage import usage

log = structlog.get_logger()
RETRY_S = 0.5
LOCK_CHECK_S = 1.0
CANCEL_AGAIN_S = 1.0


@dataclass
class Part:
    """What the body of a part works with. counters only grow; gauges are what is true now."""

    name: str
    settings: Settings
    db: db.Database
    bus: NatsBus
    clock: Clock = field(default_factory=wall_clock)
    counters: Counter[str] = field(default_factory=Counter)
    gauges: dict[str, float] = field(default_factory=dict)
    active: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)  # set while what is stored has room

    def __post_init__(self) -> None:
        self.room.set()

    async def load_clock(self) -> None:
        """Read the city clock; a city without one runs on wall time."""
        row = await self.db.row("SELECT origin, wall_origin, speed FROM city_clock")
        if row:
            self.clock = Clock(row["origin"], row["wall_origin"], row["speed"])

    async def pause(self, wait_s: float) -> None:
        """Wait for so many seconds, or until the part stops."""
        try:
            await asyncio.wait_for(self.stopping.wait(), wait_s)
        except TimeoutError:
            return

    async def answer(self, subject: str, ask: Handler, *, queue: str = "") -> None:
        """Answer requests on a subject until the part stops; of several with one queue name each goes to one."""
        unsubscribe = await self.bus.subscribe(subject, ask, queue=queue)
        try:
            await self.stopping.wait()
        finally:
            await unsubscribe()

    async def _statistics(self) -> None:
        while not self.stopping.is_set():
            gauges = self.gauges | usage()
            stats = PartStats(self.name, os.getpid(), self.active, dict(self.counters), gauges)
            try:
                await self.bus.push(f"stats.{self.name}", msgspec.json.encode(stats))
            except Unavailable:
                log.debug("statistics not sent", part=self.name)
            if self.settings.heartbeat:
                Path(self.settings.heartbeat).touch()
            await asyncio.sleep(1)


Body = Callable[[Part], Coroutine[Any, Any, None]]


async def open_part(name: str, settings: Settings, *, role: str, user: str = "") -> Part:
    """Connect a part to database and broker (as user, else as role), waiting as long as it takes."""
    while True:
        try:
            broker = await bus.connect(settings, user or role)
        except Unavailable as error:
            log.warning("waiting for the broker", part=name, error=str(error))
            await asyncio.sleep(RETRY_S)
            continue
        try:
            database = await db.Database(db.dsn(settings, role)).open()
        except Unavailable as error:
            log.warning("waiting for the database", part=name, error=str(error))
            await broker.close()
            await asyncio.sleep(RETRY_S)
            continue
        part = Part(name, settings, database, broker)
        await part.load_clock()
        return part


async def close_part(part: Part) -> None:
    """Close what open_part opened."""
    part.stopping.set()
    await part.bus.close()
    await part.db.close()


async def _follow_clock(part: Part) -> None:
    async def reload(_: Incoming) -> None:
        await part.load_clock()

    await part.bus.subscribe("changes.clock", reload)


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all until they end; the first failure ends the others and is raised as it is, for the part's shell."""
    tasks = {asyncio.create_task(one) for one in work}
    try:
        await asyncio.gather(*tasks)
    finally:
        while tasks:
            # Again and again: before Python 3.12 asyncio.wait_for, with which nats-py waits for messages, loses a
            # cancellation that meets a message, and a lane that nobody waits for any more would go on for ever.
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)


async def _single_active(part: Part, body: Body) -> None:
    """Run body while this process holds the part's advisory lock; a second process waits as a hot standby."""
    async with await psycopg.AsyncConnection.connect(part.db.url, autocommit=True) as lock:
        log.info("standing by", part=part.name)
        await lock.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"citynet:{part.name}"])
        part.active = True
        log.info("active", part=part.name, at=datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            await _while_locked(lock, body(part))
        finally:
            part.active = False


async def _while_locked(lock: psycopg.AsyncConnection[Any], body: Coroutine[Any, Any, None]) -> None:
    """Run body, but end it when the connection that holds the lock is gone: a standby is active by then."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(LOCK_CHECK_S)
            await lock.execute("SELECT 1")

    tasks = [asyncio.create_task(body), asyncio.create_task(watch())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _body_with_retries(part: Part, body: Body, *, single: bool) -> None:
    while not part.stopping.is_set():
        try:
            await (_single_active(part, body) if single else body(part))
        except (Unavailable, psycopg.OperationalError, OSError) as error:
            part.counters["interruptions"] += 1
            log.warning("interrupted, trying again", part=part.name, error=_first_line(error))
            await asyncio.sleep(RETRY_S)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _say_what_waits() -> None:
    """For SIGUSR1: every task of a part that seems stuck, and the line that it waits at."""
    for task in asyncio.all_tasks():
        task.print_stack(limit=6, file=sys.stdout)
    sys.stdout.flush()


async def run_part(
    name: str, settings: Settings, body: Body, *, role: str, single: bool = True, user: str = ""
) -> None:
    """Run a part until SIGTERM or SIGINT. body must return soon after part.stopping is set or on cancellation."""
    part = await open_part(name, settings, role=role, user=user)
    work = asyncio.create_task(_body_with_retries(part, body, single=single))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, part.stopping.set)
    loop.add_signal_handler(signal.SIGUSR1, _say_what_waits)
    statistics = asyncio.create_task(part._statistics())
    stop = asyncio.create_task(part.stopping.wait())
    try:
        await _follow_clock(part)
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        part.stopping.set()
        await asyncio.wait([work], timeout=5)
    finally:
        for task in (work, statistics, stop):
            task.cancel()
        results = await asyncio.gather(work, statistics, stop, return_exceptions=True)
        await close_part(part)
    if isinstance(results[0], Exception):
        raise results[0]
