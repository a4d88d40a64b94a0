"""Ends sessions: of ended credentials, and of shared users that took the client id of a device. Run by app.py."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import structlog

from citynet.broker_config import SHARED
from citynet.bus import Incoming
from citynet.credentials import Known, client_id, device_of
from citynet.errors import Unavailable
from citynet.part import Part
from gateway.identity.notices import Notices
from gateway.identity.sessions import Sessions

log = structlog.get_logger()
LOOK_EVERY_S = 10.0
LOOK_BACK = timedelta(seconds=40)
# What a session may have left to live, and so how far back a service that just came must look.
LOOK_BACK_FIRST = timedelta(hours=25)
# Clocks of broker and database differ, and a sign-in may have read a credential in the moment of its end.
MARGIN = timedelta(seconds=2)
# One that lost its line comes back once; two that have one identity throw each other out again and again.
FIGHT, FIGHT_WITHIN_S, FIGHTS_KEPT, REMEMBERED = 3, 600.0, 99, 10_000


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    id: int
    user: str = ""
    host: str = ""
    client_id: str = ""


class _ConnectionEvent(msgspec.Struct):
    server: _Server
    client: _Client
    reason: str = ""


@dataclass
class Keeper:
    """Ends sessions: of ended credentials, and of shared users that took the client id of a device."""

    part: Part
    known: Known
    sessions: Sessions
    notices: Notices
    fights: dict[str, list[float]] = field(default_factory=dict)
    look: asyncio.Event = field(default_factory=asyncio.Event)

    async def changed(self, _: Incoming) -> None:
        """A credential or the registry has changed."""
        self.look.set()

    async def run(self) -> None:
        """Look when something changed, and every 10 s in any case: a message may be lost, a credential runs out."""
        within = LOOK_BACK_FIRST
        while True:
            self.look.clear()
            for name, at in await self.known.ended(within):
                try:
                    ended = await self.sessions.end(client_id(name), before=at + MARGIN)
                except Unavailable:
                    break
                self.part.counters["sessions_ended"] += ended
                if ended:
                    log.info("session ended", device=name, reason="credential ended")
            within = LOOK_BACK
            try:
                await asyncio.wait_for(self.look.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def connection(self, message: Incoming) -> None:
        """A shared user may not take the client id of a device: that would throw the device out."""
        event = msgspec.json.decode(message.data, type=_ConnectionEvent)
        client = event.client
        if client.user not in SHARED or not client.client_id:
            return
        name = device_of(client.client_id)
        if (await self.known.of_devices([name])).get(name):
            self.notices.note("foreign_client_id", name, host=client.host, detail=f"by the shared user {client.user}")
            await self.sessions.kick(event.server.id, client.id)

    async def disconnection(self, message: Incoming) -> None:
        """Two connections with one client id: two devices with one identity, or one that lost its line."""
        event = msgspec.json.decode(message.data, type=_ConnectionEvent)
        if event.reason != "Duplicate Client ID":
            return
        name, client = device_of(event.client.client_id), event.client
        times = self._thrown_out(client.client_id)
        if times < FIGHT:
            self.part.counters["duplicate_client_id"] += 1
            return
        detail = f"{times} connections thrown out by the next one within {FIGHT_WITHIN_S / 60:.0f} min"
        self.notices.note("duplicate_client_id", name, host=client.host, detail=detail)

    def _thrown_out(self, client_id: str) -> int:
        """How often that happened to a client id of late, this time included."""
        now = time.monotonic()
        past = [at for at in self.fights.pop(client_id, []) if now - at < FIGHT_WITHIN_S]
        self.fights[client_id] = [*past[-FIGHTS_KEPT:], now]
        while len(self.fights) > REMEMBERED:
            self.fights.pop(next(iter(self.fights)))
        return len(self.fights[client_id])
