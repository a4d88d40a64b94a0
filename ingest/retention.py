"""What has had its time goes: readings and hourly roll-ups by whole partitions, the rest by rows (decision 0050).

Kept by one process of ingest; `citynet retention` shows what would go. Audit, corrections and the registry never go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from citynet import db
from citynet.clock import Clock, wall_clock
from citynet.db import Connection, Database, Row
from citynet.part import Part
from citynet.settings import Settings
from ingest.lane import ACTOR, AWAY

log = structlog.get_logger()
SQL = db.named_sql(Path(__file__).with_suffix(".sql"))
EVERY_S, LOOK_S = 300.0, 1.0
ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A class of data: days = 0 keeps it for ever. whole: it goes by partitions. wall: its times are wall times."""

    name: str
    days: int
    whole: bool = False
    wall: bool = False


def kept(settings: Settings) -> list[Kept]:
    """All classes; what is computed from other data is kept at least as long as they are."""
    readings = settings.keep_readings_days
    hours = _at_least(settings.keep_hours_days, readings)
    return [
        Kept("readings", readings, whole=True),
        Kept("hours", hours, whole=True),
        Kept("days", _at_least(settings.keep_days_days, hours)),
        Kept("events", settings.keep_events_days),
        Kept("quarantine", settings.keep_quarantine_days, wall=True),
    ]


def _at_least(days: int, others: int) -> int:
    return max(days, others) if days and others else 0


@dataclass(frozen=True, slots=True)
class Going:
    """What of a class has had its time. A part that is held waits for its roll-up, and so do all after it."""

    kept: Kept
    before: datetime
    parts: list[Row] = field(default_factory=list)
    rows: int = 0

    def ready(self) -> Iterator[Row]:
        """The parts that may go now, oldest first."""
        for part in self.parts:
            if part["held"]:
                return
            yield part


@dataclass
class Retention:
    """Finds and drops. Reads and writes as citynet_ingest."""

    db: Database
    settings: Settings
    clock: Clock = field(default_factory=wall_clock)

    async def going(self) -> list[Going]:
        """What would go now, of the classes that are not kept for ever."""
        return [await self._of(one) for one in kept(self.settings) if one.days]

    async def _of(self, one: Kept) -> Going:
        before = (wall_clock() if one.wall else self.clock).now() - timedelta(days=one.days)
        if one.whole:
            return Going(one, before, parts=await self.db.rows(SQL[f"parts_{one.name}"], {"before": before}))
        row = await self.db.row(SQL[f"count_{one.name}"], {"before": before})
        return Going(one, before, rows=row["n"] if row else 0)

    async def drop(self) -> int:
        """Let it go; parts and rows that went. A part that somebody reads for long is left to the next time."""
        gone = 0
        for one in await self.going():
            try:
                gone += await (self._drop_parts(one) if one.kept.whole else self._drop_rows(one))
            except LockNotAvailable:
                log.warning("a part is in use and goes later", what=one.kept.name)
        return gone

    async def _drop_parts(self, going: Going) -> int:
        gone, name, days = 0, going.kept.name, going.kept.days
        for part in going.ready():
            given = {"name": part["name"], "before": going.before}
            async with self.db.transaction(ACTOR) as conn:
                row = await (await conn.execute(SQL[f"drop_{name}"], given)).fetchone()
                if row is None or not row["gone"]:
                    return gone
                await conn.execute(SQL["put_kept"], {"class": name, "days": days, "until": part["until"]})
                span = {end: part[end].isoformat() for end in ("since", "until")}
                await _audit(conn, name, part=part["name"], days=days, bytes=part["bytes"], **span)
            log.info("data has had its time", what=name, part=part["name"], bytes=part["bytes"])
            gone += 1
        return gone

    async def _drop_rows(self, going: Going) -> int:
        gone, name = 0, going.kept.name
        while True:
            given = {"before": going.before, "limit": ROWS_AT_ONCE}
            async with self.db.transaction(ACTOR) as conn:
                rows = (await conn.execute(SQL[f"drop_{name}"], given)).rowcount
                if rows:
                    await _audit(conn, name, rows=rows, days=going.kept.days, until=going.before.isoformat())
            gone += rows
            if rows < ROWS_AT_ONCE:
                return gone

    async def note(self) -> None:
        """Write down for the pipeline page how far back everything reaches."""
        for one in kept(self.settings):
            state = await self.db.row(SQL[f"state_{one.name}"])
            if state:
                async with self.db.transaction(ACTOR) as conn:
                    await conn.execute(SQL["put_state"], {"class": one.name, "days": one.days, **state})


async def _audit(conn: Connection, name: str, **detail: object) -> None:
    await conn.execute(SQL["audit"], {"actor": ACTOR, "object": name, "detail": Jsonb(detail)})


@dataclass
class Keeper:
    """Works every five minutes of the city, in whichever process of ingest has the lock."""

    part: Part

    async def run(self) -> None:
        """Work until the part stops; while the database is away everything stays."""
        while not self.part.stopping.is_set():
            try:
                async with self.part.db.own_connection() as lock:
                    await self._keep(lock)
            except AWAY as error:
                log.warning("retention waits", error=(str(error) or type(error).__name__).splitlines()[0])
                await self.part.pause(LOOK_S)

    async def _keep(self, lock: Connection) -> None:
        """Raises when the connection, and with it the lock, is gone."""
        while not self.part.stopping.is_set():
            row = await (await lock.execute(SQL["lock_retention"])).fetchone()
            if row and row["mine"]:
                work = Retention(self.part.db, self.part.settings, self.part.clock)
                self.part.counters["retention_dropped"] += await work.drop()
                await work.note()
            await self.part.pause(max(LOOK_S, EVERY_S / self.part.clock.speed))
