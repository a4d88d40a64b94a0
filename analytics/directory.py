"""The city as all lanes see it: registry snapshot, rules compiled, outages; followed while the part runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import structlog

from analytics.city import City, city_of
from analytics.engine import Engine, Readings
from analytics.hours import LocalHours
from analytics.judge import Outages
from citynet import registry
from citynet.catalog import catalog
from citynet.db import named_sql
from citynet.part import Part

log = structlog.get_logger()
FOLLOW_S = 2.0
HEARD_WITHIN = timedelta(days=30)
SQL = named_sql(Path(__file__).with_name("queries.sql"))


class Directory:
    """One city for all partitions; on_change is called with every new one before anybody else sees it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._registry = registry.Registry(revision=())
        self.city = City()
        self.hours = LocalHours(part.settings.timezone)
        self.outages = Outages()
        self.on_change: list[Callable[[City], Awaitable[None]]] = []
        self._turn = asyncio.Lock()
        self._asked = self.outages.object_ids

    def engine(self) -> Engine:
        """An empty engine of one partition."""
        return Engine(self.hours, self.outages, ahead_s=self._part.settings.future_limit_s)

    async def refresh(self) -> None:
        """Take what changed in the registry."""
        async with self._turn:
            known = self._registry
            self._registry = await registry.refresh(self._part.db, known)
            if self._registry is known:
                return
            refused = self.city.refused
            self.city = city_of(self._registry, catalog().quantities)
            for rule_id, why in self.city.refused.items():
                if refused.get(rule_id) != why:
                    log.warning("a rule cannot run", rule=rule_id, why=why)
            self._part.gauges["rules"] = sum(map(len, self.city.rules.values()))
            self._part.gauges["rules_refused"] = len(self.city.refused)
            self._part.gauges["series"] = len(self.city.series)
            for tell in self.on_change:
                await tell(self.city)

    async def look_at_gateways(self) -> None:
        """When other objects are out of work than before: which devices can no radio gateway hear now?"""
        down = self.outages.object_ids
        if down is self._asked:
            return
        self._asked = down
        since = self._part.clock.now() - HEARD_WITHIN
        given = {"objects": [int(one) for one in down], "since": since}
        rows = await self._part.db.rows(SQL["heard_by_silent"], given) if len(down) else []
        deaf = [row["object_id"] for row in rows if row["deaf"]]
        reached = [row["object_id"] for row in rows if not row["deaf"]]
        self.outages.deaf, self.outages.reached = np.array(deaf, np.int64), np.array(reached, np.int64)
        self._part.gauges["unheard"] = len(deaf)

    async def meet(self, messages: list[Readings]) -> None:
        """A series may report in the very moment after it was allocated: look again before it is unknown."""
        if any(series not in self.city.series for message in messages for series in set(message.series.tolist())):
            await self.refresh()

    async def follow(self) -> None:
        """Look for changes until the part stops."""
        while not self._part.stopping.is_set():
            await self.refresh()
            await self._part.pause(FOLLOW_S)
