"""Keeps newest values as they stood each five minutes: the city at any moment is one snapshot and a little more.

One process of ingest does it, by an advisory lock (decision 0048)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from citynet import bus
from citynet.db import Connection, Database, named_sql
from citynet.part import Part
from ingest.lane import ACTOR, AWAY

log = structlog.get_logger()
SQL = named_sql(Path(__file__).with_name("snapshots.sql"))
EVERY, FINE = timedelta(minutes=5), timedelta(days=2)
# Readings of the last moments are still on their way; and a fast clock of the city must not keep the database busy.
SETTLE, LOOK_S = timedelta(seconds=30), 5.0
# With more messages than that before it, what is stored is not what was read.
BACKLOG = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def due(now: datetime) -> datetime:
    """The moment of the newest snapshot that can be taken."""
    return EPOCH + (now - SETTLE - EPOCH) // EVERY * EVERY


async def take(db: Database, now: datetime, *, days: int) -> bool:
    """Take the snapshot that is due at a time of the city, and let old ones go; whether there was one to take."""
    at = due(now)
    async with db.transaction(ACTOR) as conn:
        row = await (await conn.execute(SQL["last"])).fetchone()
        if row and row["at"] and row["at"] >= at:
            return False
        made = await conn.execute(SQL["take"], {"at": at, "taken": now})
        await conn.execute(SQL["thin"], {"oldest": now - timedelta(days=days), "fine": now - FINE})
    return made.rowcount > 0


@dataclass
class Snapshots:
    """Takes them while the part runs, in whichever process of ingest has the lock."""

    part: Part

    async def run(self) -> None:
        """Work until the part stops; a moment that passed while the database was away has no snapshot."""
        while self.part.settings.snapshot_days and not self.part.stopping.is_set():
            try:
                async with self.part.db.own_connection() as lock:
                    await self._keep(lock)
            except AWAY as error:
                log.warning("snapshots wait", error=(str(error) or type(error).__name__).splitlines()[0])
                await self.part.pause(LOOK_S)

    async def _keep(self, lock: Connection) -> None:
        while not self.part.stopping.is_set():
            row = await (await lock.execute(SQL["lock_snapshots"])).fetchone()
            if row and row["mine"] and await self.part.bus.pending(bus.INGEST_LIVE) < BACKLOG:
                taken = await take(self.part.db, self.part.clock.now(), days=self.part.settings.snapshot_days)
                self.part.counters["snapshots"] += taken
            await self.part.pause(LOOK_S)
