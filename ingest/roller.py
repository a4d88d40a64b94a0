"""Keeps the roll-ups of a running city, in whichever process of ingest has their lock."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog

from citynet.db import Connection
from citynet.part import Part
from ingest.lane import AWAY
from ingest.registers import SQL
from ingest.rollups import Rollups

log = structlog.get_logger()
LOOK_S = 1.0


@dataclass
class Roller:
    """Rolls up while the part runs, in whichever process of ingest has the lock."""

    part: Part

    async def run(self) -> None:
        """Work until the part stops; while the database is away, marks wait in it."""
        while not self.part.stopping.is_set():
            try:
                async with self.part.db.own_connection() as lock:
                    await self._keep(lock)
            except AWAY as error:
                log.warning("roll-ups wait", error=(str(error) or type(error).__name__).splitlines()[0])
                await self.part.pause(LOOK_S)

    async def _keep(self, lock: Connection) -> None:
        """Every minute of the city. Raises when the connection, and with it the lock, is gone."""
        rollups = Rollups(self.part.db, ZoneInfo(self.part.settings.timezone))
        while not self.part.stopping.is_set():
            row = await (await lock.execute(SQL["lock_rollups"])).fetchone()
            done = await self._roll_up(lock, rollups) if row and row["mine"] else 0
            if not done:
                await self.part.pause(max(LOOK_S, self.part.settings.rollup_s / self.part.clock.speed))

    async def _roll_up(self, lock: Connection, rollups: Rollups) -> int:
        """Hours that are over for every open transaction too: one that began before their end relies on their marks.

        An hour that is not over would be rolled up again and again: whoever asks takes it from the readings.
        """
        row = await (await lock.execute(SQL["over"])).fetchone()
        assert row
        over = self.part.clock.at(row["since"]).replace(minute=0, second=0, microsecond=0)
        done = await rollups.roll_up(over)
        self.part.counters["rollups"] += done
        return done
