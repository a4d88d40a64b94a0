"""The database as the situation centre sees it: named queries, city time, push after the commit."""

import asyncio
import uuid
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from citynet import bus as broker
from citynet import db as database
from citynet.access import Actor
from citynet.bus import Bus
from citynet.db import Connection, Database, named_sql
from citynet.errors import Unavailable
from citynet.model import LiveChanged
from citynet.settings import Settings
from situation_center.attempts import Attempts

log = structlog.get_logger()
SQL = named_sql(Path(__file__).with_name("queries.sql"))


class Center(Database):
    """The database with the bus beside it, so that a change is pushed as soon as it is committed."""

    def __init__(self, url: str, bus: Bus, settings: Settings, *, size: int = 8) -> None:
        super().__init__(url, size=size)
        self.bus, self.settings = bus, settings
        self.attempts = Attempts()
        self.actors: dict[bytes, tuple[Actor, float]] = {}  # who holds a token, until when that is believed
        self.hashing = asyncio.Semaphore(2)

    async def announce(self, kind: str, *ids: object) -> None:
        """Push changed ids to live.<kind>. A broker that is away costs nothing: followers read again every 30 s."""
        try:
            await self.bus.push(f"live.{kind}", msgspec.json.encode(LiveChanged([str(i) for i in ids])))
        except Unavailable:
            log.debug("change not pushed", kind=kind)


async def open_center(settings: Settings, bus: Bus | None = None) -> Center:
    """A Center for the web process. Close with close(); the bus with bus.close(). Raises Unavailable."""
    bus = bus or await broker.connect(settings, "center")
    center = Center(database.dsn(settings, "center"), bus, settings)
    await center.open()
    return center


async def add_outbox(conn: Connection, subject: str, *, payload: bytes, msg_id: str = "") -> None:
    """Send a message with the commit of this transaction: the worker publishes the outbox in order."""
    await conn.execute(SQL["add_outbox"], [subject, msg_id or str(uuid.uuid4()), payload])


async def city_now(conn: Connection) -> datetime:
    """City time by the database's clock."""
    row = await (await conn.execute(SQL["city_now"])).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now
