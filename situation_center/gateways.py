"""Keeps what each radio gateway hears, so that no screen reads hundreds of thousands of links. For the worker."""

import time
from pathlib import Path

from citynet.db import named_sql
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_name("gateways.sql"))
ACTOR = "part:worker"
EVERY_S = 60.0
REST = 50.0  # times as long as the work took: at most 2 % of the database goes into it


class Gateways:
    """The table radio_gateway, written anew once a minute."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self._next = 0.0

    async def look(self) -> int:
        """Renew it when it is time; never says that more is to be done."""
        began = time.monotonic()
        if began >= self._next:
            async with self._center.transaction(ACTOR) as conn:
                await conn.execute(SQL["clear"])
                await conn.execute(SQL["fill"])
            now = time.monotonic()
            self._next = now + max(EVERY_S, REST * (now - began))
        return 0
