"""Shares of a part's work among its workers: each has one owner, and they move by themselves (decision 0051).

Locks of a PostgreSQL session say who owns what; used by the parts gateway and analytics."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from citynet.db import Connection, named_sql
from citynet.errors import Unavailable
from citynet.part import Part

log = structlog.get_logger()
SQL = named_sql(Path(__file__).with_name("leases.sql"))
LOOK_S = 0.5
ANSWER_S, STOP_S = 5.0, 4.0
# A worker that is frozen, or whose network is cut, asks no more: the server ends its session and so frees its shares.
IDLE_S = 10
Work = Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]


def fair(count: int, workers: int, place: int) -> int:
    """How many of count shares the worker at a place of the line has."""
    return count // workers + (place < count % workers)


@dataclass
class Leases:
    """Runs work(number, leave) for each share that this worker owns; work ends soon after leave is set.

    What ends with an error ends all of it, as does a lost session: the part's shell then begins anew.
    """

    part: Part
    count: int
    work: Work
    held: dict[int, tuple[asyncio.Event, asyncio.Task[None]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until the part stops. Raises Unavailable or psycopg.OperationalError when the session is gone."""
        async with self.part.db.own_connection(idle_s=IDLE_S) as session:
            await self._ask(session, "join")
            try:
                while not self.part.stopping.is_set():
                    await self._share_out(session)
                    await self._watch()
            finally:
                self.part.active = False
                await self._end()

    async def _ask(self, session: Connection, query: str, **given: object) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(ANSWER_S):
                cursor = await session.execute(SQL[query], {"part": self.part.name, **given})
                return await cursor.fetchall() if cursor.description else []
        except TimeoutError as error:
            raise Unavailable("the database does not say who works on what: run `citynet doctor`") from error

    async def _share_out(self, session: Connection) -> None:
        """Give what is too much, then take what is free."""
        workers = await self._ask(session, "workers")
        place = next((n for n, one in enumerate(workers) if one["me"]), len(workers))
        share = fair(self.count, max(len(workers), 1), place)
        # The highest stay longest: the last share may be one that is dear to move.
        for number in sorted(self.held)[: max(0, len(self.held) - share)]:
            await self._give(session, number)
        for number in reversed(range(self.count)):
            if len(self.held) >= share:
                break
            if number not in self.held and (await self._ask(session, "take", number=number))[0]["mine"]:
                self._begin(number)
        self.part.active = bool(self.held)
        self.part.gauges |= {"shares": len(self.held), "workers": len(workers)}

    def _begin(self, number: int) -> None:
        leave = asyncio.Event()
        self.held[number] = leave, asyncio.create_task(self.work(number, leave))
        log.info("share taken", part=self.part.name, share=number)

    async def _give(self, session: Connection, number: int) -> None:
        leave, task = self.held[number]
        leave.set()
        while not task.done():
            await self._watch()
            await self._ask(session, "workers")  # the session must not seem idle meanwhile
        task.result()
        del self.held[number]
        await self._ask(session, "give", number=number)
        log.info("share given", part=self.part.name, share=number)

    async def _watch(self) -> None:
        """Until the next look, or the end of a share that has not been told to: that is an error of it."""
        tasks = [task for _, task in self.held.values()]
        stop = asyncio.create_task(self.part.stopping.wait())
        await asyncio.wait([*tasks, stop], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in tasks:
            if task.done():
                task.result()

    async def _end(self) -> None:
        """All shares to their end: in peace when the part stops, else at once."""
        tasks = {task for _, task in self.held.values()}
        for leave, _ in self.held.values():
            leave.set()
        self.held = {}
        if tasks and self.part.stopping.is_set():
            tasks = (await asyncio.wait(tasks, timeout=STOP_S))[1]
        while tasks:
            for task in tasks:
                task.cancel()
            # Whoever waits for us cancels us again and again (see together()): the shares must end first.
            with suppress(asyncio.CancelledError):
                tasks = (await asyncio.wait(tasks, timeout=1.0))[1]
