"""Live sessions of devices at the broker: found by client id and ended at once. Over the system account."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from citynet.broker_config import KICK, SESSIONS
from citynet.bus import Incoming, NatsBus
from gateway.identity.tickets import ACCOUNT

FIRST_ANSWER_S = 2.0
QUIET_S = 0.2  # after the last server of a cluster has answered


class Session(msgspec.Struct):
    """A connection of a client id."""

    cid: int
    start: datetime


class _Sessions(msgspec.Struct):
    connections: list[Session] = []


class _Server(msgspec.Struct):
    id: str


class _Answer(msgspec.Struct):
    server: _Server
    data: _Sessions = msgspec.field(default_factory=_Sessions)


ANSWER = msgspec.json.Decoder(_Answer)


class Sessions:
    """The sessions of all servers."""

    def __init__(self, system: NatsBus) -> None:
        self._system = system

    async def end(self, client_id: str, *, before: datetime) -> int:
        """End the sessions of a client id that began before a wall time; how many. Raises Unavailable."""
        ended = 0

        async def take(message: Incoming) -> None:
            nonlocal ended
            answer = ANSWER.decode(message.data)
            for session in answer.data.connections:
                if session.start < before:
                    await self.kick(answer.server.id, session.cid)
                    ended += 1

        asked = {"auth": True, "acc": ACCOUNT, "mqtt_client": client_id}
        await self._ask_all(msgspec.json.encode(asked), take)
        return ended

    async def kick(self, server_id: str, cid: int) -> None:
        """End one connection. Raises Unavailable."""
        # The broker does nothing for who does not wait for its answer.
        body = msgspec.json.encode({"cid": cid})
        await self._system.request(KICK.format(server=server_id), body, timeout_s=FIRST_ANSWER_S)

    async def _ask_all(self, body: bytes, take: Callable[[Incoming], Awaitable[None]]) -> None:
        heard = asyncio.Event()

        async def hear(message: Incoming) -> None:
            await take(message)
            heard.set()

        inbox = self._system.client.new_inbox()
        end = await self._system.subscribe(inbox, hear)
        try:
            await self._system.client.publish(SESSIONS, body, reply=inbox)
            wait_s = FIRST_ANSWER_S
            while True:
                await asyncio.wait_for(heard.wait(), wait_s)
                heard.clear()
                wait_s = QUIET_S
        except TimeoutError:
            return
        finally:
            await end()
