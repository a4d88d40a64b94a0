"""One lane of ingest: pull, store in one transaction, acknowledge, tell. Every stream goes through the same loop.

While the database is away nothing is pulled and the frames in hand are kept from being delivered again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import psycopg
import structlog
from numpy.typing import NDArray
from psycopg.errors import DiskFull

from citynet.bus import Consumer, Frame, Puller, held
from citynet.db import Connection
from citynet.part import Part

log = structlog.get_logger()
ACTOR = "part:ingest"
FETCH_WAIT_S = 1.0
RETRY_S = 0.5
ROOM_LOOK_S = 0.5
# A lane begins at most so many transactions a second: what comes meanwhile shares the next one. Alone, a message never
# waits; in a stream of them each waits half of this on average and costs a fraction.
PACE_S = 0.05
# Not the fault of a row: the server is away, stops, is full or has chosen another victim of a deadlock.
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)


@dataclass
class Outcome:
    """What storing a batch did: counters to add, core messages to send after the commit, arrivals of stored rows."""

    counters: Counter[str] = field(default_factory=Counter)
    pushes: list[tuple[str, bytes]] = field(default_factory=list)
    arrival_ns: NDArray[np.int64] | None = None
    committed_ns: int = 0  # wall


Write = Callable[[Connection, list[Frame]], Awaitable[Outcome]]
Stored = Callable[[Outcome, float], Awaitable[None]]


@dataclass
class Lane:
    """A consumer and what stores its frames; batch = most frames a transaction takes.

    gather_s: wait so long for a full batch; only where one puller has the consumer. small: goes on taking although the
    disk of the database is nearly full (decision 0049).
    """

    part: Part
    consumer: Consumer
    write: Write
    batch: int
    after: Stored | None = None
    gather_s: float = 0.0
    small: bool = False

    async def run(self) -> None:
        """Follow the stream until the part stops. Raises Unavailable when the broker is away."""
        puller = await self.part.bus.puller(self.consumer)
        while not self.part.stopping.is_set():
            frames = await puller.fetch(self.batch, FETCH_WAIT_S)
            if frames:
                began = time.monotonic()
                await self._take(puller, frames)
                await asyncio.sleep(max(0.0, began + PACE_S - time.monotonic()))

    async def _take(self, puller: Puller, frames: list[Frame]) -> None:
        async with held(puller, frames):
            # Asked with the frames in hand: a fetch that was on its way when the disk filled up still brings some.
            while not (self.small or self.part.room.is_set()):
                if self.part.stopping.is_set():
                    return
                await self.part.pause(ROOM_LOOK_S)
            began = time.monotonic()
            await self._gather(puller, frames, until=began + self.gather_s)
            outcome = await self._stored(frames)
        await puller.ack(frames)
        self.part.counters.update(outcome.counters)
        for subject, body in outcome.pushes:
            await self.part.bus.push(subject, body)
        if self.after:
            await self.after(outcome, time.monotonic() - began)

    async def _gather(self, puller: Puller, frames: list[Frame], *, until: float) -> None:
        """More frames into the batch. A puller that had to go back gives the same again: then they are the batch."""
        while len(frames) < self.batch and time.monotonic() < until and not self.part.stopping.is_set():
            more = await puller.fetch(self.batch - len(frames), FETCH_WAIT_S)
            if more and more[0].seq <= frames[-1].seq:
                frames.clear()
            frames += more

    async def _stored(self, frames: list[Frame]) -> Outcome:
        while True:
            try:
                async with self.part.db.transaction(ACTOR) as conn:
                    outcome = await self.write(conn, frames)
                outcome.committed_ns = time.time_ns()
                return outcome
            except AWAY as error:
                self.part.counters["interruptions"] += 1
                self.part.counters["disk_full"] += isinstance(error, DiskFull)
                words = str(error).splitlines() or [type(error).__name__]
                log.warning("the database does not take it, trying again", lane=self.consumer.durable, error=words[0])
                await asyncio.sleep(RETRY_S)
