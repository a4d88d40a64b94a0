"""Rolls readings up by the hour and the local day, and registers to consumption; late ones where they belong.

Every batch marks the hours that it touches in its own transaction; one process of ingest works the marks off. What it
computes depends on the readings alone, so that doing it twice changes nothing (decision 0045)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from citynet import catalog
from citynet.db import Connection, Database, Row
from ingest import consumption
from ingest.lane import ACTOR
from ingest.pgbinary import Float8s, Int2s, Int4s, Times
from ingest.registers import SQL, registers_of
from ingest.rows import Rows
from ingest.table import microseconds, moment

BLOCK = 256
HOUR_US = 3_600_000_000
HOUR = timedelta(hours=1)
# One transaction: a block over so long a time; hours apart by less than TOGETHER are one window.
WINDOW, TOGETHER = timedelta(days=7), timedelta(hours=3)
DUE_AT_ONCE = 20_000


async def mark_due(conn: Connection, rows: Rows) -> None:
    """Say which hours of which blocks have other readings now; in the transaction that stores them."""
    if not len(rows):
        return
    touched = np.unique(np.stack([rows.series // BLOCK, rows.time // HOUR_US]), axis=1)
    given = {"blocks": Int4s(touched[0].astype(np.int32)), "hours": Times(touched[1] * HOUR_US)}
    await conn.execute(SQL["mark_due"], given)


@dataclass(frozen=True)
class Window:
    """Hours of a block in [since, until)."""

    block: int
    since: datetime
    until: datetime


def windows(due: Sequence[tuple[int, datetime]]) -> Iterator[Window]:
    """Hours that lie together, by block; due sorted."""
    for block, hours in groupby(due, key=lambda one: one[0]):
        since = until = None
        for _, hour in hours:
            if since is None or until is None or hour - until > TOGETHER or hour - since >= WINDOW:
                if since is not None and until is not None:
                    yield Window(block, since, until)
                since = hour
            until = hour + HOUR
        if since is not None and until is not None:
            yield Window(block, since, until)


@dataclass
class Days:
    """Local days of the city as spans of time."""

    zone: ZoneInfo
    _spans: dict[date, tuple[datetime, datetime]] = field(default_factory=dict)

    def of(self, hour: datetime) -> date:
        """The day that an hour lies in."""
        return hour.astimezone(self.zone).date()

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Its first moment and that of the next day."""
        found = self._spans.get(day)
        if found is None:
            found = self._spans[day] = (self._start(day), self._start(day + timedelta(days=1)))
        return found

    def _start(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)


@dataclass
class Rollups:
    """The tables of roll-ups, brought to what the readings say."""

    db: Database
    zone: ZoneInfo

    def __post_init__(self) -> None:
        self.days = Days(self.zone)

    async def roll_up(self, until: datetime) -> int:
        """Work off the marks of hours that begin before until; gives how many windows they were."""
        async with self.db.transaction(ACTOR) as conn:
            await conn.execute(SQL["forget_due"])
        given = {"before": until, "limit": DUE_AT_ONCE}
        found = list(windows([(row["block"], row["hour"]) for row in await self.db.rows(SQL["due"], given)]))
        for window in found:
            async with self.db.transaction(ACTOR) as conn:
                await self._roll(conn, window)
        return len(found)

    async def _roll(self, conn: Connection, window: Window) -> None:
        span = {"since": window.since, "until": window.until}
        taken = await conn.execute(SQL["take_due"], {"block": window.block, **span})
        if not taken.rowcount:
            return
        series = await (await conn.execute(SQL["series"], {"block": window.block})).fetchall()
        ids = [row["series_id"] for row in series]
        await conn.execute(SQL["ensure_partitions"], span)
        rolled = await (await conn.execute(SQL["hours"], {"ids": ids, **span})).fetchall()
        seen = {row["series_id"] for row in rolled}
        touched = {(row["series_id"], self.days.of(row["hour"])) for row in rolled}
        quantities = catalog.catalog().quantities
        counting = [
            row
            for row in series
            if row["series_id"] in seen and (known := quantities.get(row["quantity"])) and known.kind == "cumulative"
        ]
        if counting:
            touched |= await self._consumption(conn, counting, span)
        await self._put_days(conn, touched)

    async def _consumption(
        self, conn: Connection, counting: list[Row], span: dict[str, datetime]
    ) -> set[tuple[int, date]]:
        """Consumption by the hour around a window; gives the series and days that it touched."""
        registers = await registers_of(conn, counting)
        ids = [row["series_id"] for row in counting]
        rows = await (await conn.execute(SQL["registers"], {"ids": ids, **span})).fetchall()
        columns: dict[str, list[Any]] = defaultdict(list)
        for number, some in groupby(rows, key=lambda row: row["series_id"]):
            readings = list(some)
            since, until = (microseconds(readings[0][end]) for end in ("since", "until"))
            time = np.array([microseconds(row["time"]) for row in readings], np.int64)
            edges = np.arange(since, until + 1, HOUR_US)
            used, marks = consumption.over(
                registers[number], time, np.array([row["value"] for row in readings]), edges=edges
            )
            known = ~np.isnan(used)
            columns["hours"] += edges[:-1][known].tolist()
            columns["used"] += used[known].tolist()
            columns["marks"] += marks[known].tolist()
            columns["series"] += [number] * int(known.sum())
        if not columns["series"]:
            return set()
        first, last = moment(min(columns["hours"])), moment(max(columns["hours"]))
        await conn.execute(SQL["ensure_partitions"], {"since": first, "until": last})
        given = {
            "series": Int4s(np.array(columns["series"], np.int32)),
            "hours": Times(np.array(columns["hours"], np.int64)),
            "used": Float8s(np.array(columns["used"])),
            "marks": Int2s(np.array(columns["marks"], np.int16)),
        }
        await conn.execute(SQL["used"], given)
        pairs = zip(columns["series"], columns["hours"], strict=True)
        return {(number, self.days.of(moment(hour))) for number, hour in pairs}

    async def _put_days(self, conn: Connection, touched: set[tuple[int, date]]) -> None:
        rows = [(number, day, *self.days.span(day)) for number, day in sorted(touched)]
        if rows:
            names = ("series", "days", "since", "until")
            given = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            await conn.execute(SQL["days"], given)
