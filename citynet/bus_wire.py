"""Our own reader of JetStream for streams of small messages: a tenth of the client library's cost (decision 0035).

It knows pulls and acknowledgements only; citynet.bus uses it for UPLINKS and HISTORY and the library for the rest."""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import structlog

from citynet.errors import Unavailable

log = structlog.get_logger()
T = TypeVar("T")
# (subject, subscription, reply ..), headers as they came (empty without), payload -> what a fetch gives.
Make = Callable[[list[bytes], bytes, bytes], T]
CONNECT_S = 5.0
ANSWER_S = 5.0  # how long after the end of a pull its last word may be under way
NO_MESSAGES, TIMED_OUT = 404, 408
HMSG, MSG, PING, PONG, ERROR = b"H"[0], b"M"[0], b"PI", b"PO", b"-"


class Gone(Exception):
    """The connection ended."""


@dataclass
class Pull(Generic[T]):
    """One open pull: the server ends it by the last message asked for or by a status."""

    want: int
    make: Make[T]
    got: list[T] = field(default_factory=list)
    end: "asyncio.Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, status: int) -> None:
        """No message of this pull follows."""
        if not self.end.done():
            self.end.set_result(status)


class Connection(asyncio.Protocol):
    """Bytes of one connection to messages of open pulls, by subscription id."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.pulls: dict[bytes, Pull[object]] = {}
        self.greeted: asyncio.Future[None] = loop.create_future()
        self.info: asyncio.Future[dict[str, object]] = loop.create_future()
        self._rest = b""
        self.lost, self.ended = False, asyncio.Event()
        self.error = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.lost = True
        self.ended.set()
        error = Gone(self.error or str(exc or "the server closed the connection"))
        waited: list[asyncio.Future[Any]] = [self.info, self.greeted, *(pull.end for pull in self.pulls.values())]
        for future in waited:
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits gets it; nobody waiting is no defect

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol: everything that is whole; the beginning of the next message waits."""
        if self._rest:
            data = self._rest + data
        at, find = 0, data.find
        while (eol := find(b"\r\n", at)) >= 0:
            kind = data[at]
            if kind != HMSG and kind != MSG:
                self._word(data[at:eol])
                at = eol + 2
                continue
            parts = data[at:eol].split()
            body = eol + 2
            after = body + int(parts[-1])
            if len(data) < after + 2:
                break
            head = body + int(parts[-2]) if kind == HMSG else body
            self._message(parts[1:], data[body:head], data[head:after], with_headers=kind == HMSG)
            at = after + 2
        self._rest = data[at:]

    def _message(self, parts: list[bytes], head: bytes, payload: bytes, *, with_headers: bool) -> None:
        """parts: subject, subscription, reply if there is one, sizes."""
        pull = self.pulls.get(parts[1])
        if pull is None:
            return  # of a pull that was given up; its consumer rewinds
        if len(parts) == (5 if with_headers else 4):
            pull.got.append(pull.make(parts, head, payload))
            if len(pull.got) >= pull.want:
                pull.finish(0)
        elif with_headers and (status := int(head[9:12])) != 100:  # NATS/1.0 404 No Messages
            pull.finish(status)

    def _word(self, line: bytes) -> None:
        if line[:2] == PING:
            self.transport.write(b"PONG\r\n")
        elif line[:2] == PONG:
            if not self.greeted.done():
                self.greeted.set_result(None)
        elif line[:1] == ERROR:
            self.error = line.decode(errors="replace")
            log.warning("the broker complains", error=self.error)
        elif line[:5] == b"INFO " and not self.info.done():
            self.info.set_result(json.loads(line[5:]))


class Wire:
    """A connection that is made anew when it is needed and gone. One for all readers of a part."""

    def __init__(self, address: Callable[[], tuple[str, int]], *, user: str, password: str) -> None:
        self._address, self._user, self._password = address, user, password
        self._connection: Connection | None = None
        self._making = asyncio.Lock()
        self._number = 0

    async def connection(self) -> Connection:
        """The living connection. Raises Unavailable."""
        async with self._making:
            if self._connection is None or self._connection.lost:
                try:
                    async with asyncio.timeout(CONNECT_S):
                        self._connection = await self._connect()
                except (TimeoutError, OSError, Gone) as error:
                    raise Unavailable(f"the broker does not answer ({error!r}): run `citynet doctor`") from error
            return self._connection

    async def _connect(self) -> Connection:
        host, port = self._address()
        _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
        greeted = False
        try:
            await self._greet(connection)
            greeted = True
        finally:
            if not greeted:
                connection.transport.abort()
        return connection

    async def _greet(self, connection: Connection) -> None:
        info = await connection.info
        if info.get("tls_required"):
            raise Gone("the broker wants TLS")
        words = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python"}
        words |= {"user": self._user, "pass": self._password, "name": f"citynet-{self._user}-reader", "protocol": 1}
        connection.transport.write(b"CONNECT " + json.dumps(words).encode() + b"\r\nPING\r\n")
        await connection.greeted

    def next_id(self) -> bytes:
        """A subscription id that was never used."""
        self._number += 1
        return b"%d" % self._number

    async def close(self) -> None:
        """End the connection; what was written is sent."""
        if self._connection:
            self._connection.transport.close()
            await self._connection.ended.wait()


class Reader(Generic[T]):
    """Pulls of one durable. Not for two tasks at once."""

    def __init__(self, wire: Wire, stream: str, durable: str, *, make: Make[T]) -> None:
        self._wire, self._make = wire, make
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}".encode()
        self._inbox = f"_INBOX.{secrets.token_hex(12)}".encode()
        self._connection: Connection | None = None
        self._id = b""

    async def renew(self) -> bool:
        """Subscribe where that is needed; whether it was: then what was delivered before is in nobody's hand."""
        connection = await self._wire.connection()
        if connection is self._connection and self._id:
            return False
        self._connection, self._id = connection, self._wire.next_id()
        connection.transport.write(b"SUB %b %b\r\n" % (self._inbox, self._id))
        return True

    async def fetch(self, batch: int, wait_s: float) -> list[T]:
        """What is there, else the first that comes within wait_s and what has come with it. Raises Unavailable."""
        found = await self._pull({"batch": batch, "no_wait": True}, 0.0)
        if not found:
            found = await self._pull({"batch": 1, "expires": int(wait_s * 1e9)}, wait_s)
            if found and batch > 1:
                found += await self._pull({"batch": batch - 1, "no_wait": True}, 0.0)
        return found

    async def _pull(self, request: dict[str, int | bool], wait_s: float) -> list[T]:
        connection = self._connection
        if connection is None or connection.lost:
            return []  # the next fetch begins anew
        pull: Pull[T] = Pull(request["batch"], self._make)
        connection.pulls[self._id] = pull  # type: ignore[assignment]
        body = json.dumps(request).encode()
        connection.transport.write(b"PUB %b %b %d\r\n%b\r\n" % (self._next, self._inbox, len(body), body))
        status = -1
        try:
            async with asyncio.timeout(wait_s + ANSWER_S):
                status = await pull.end
        except Gone:
            return []
        except TimeoutError as error:
            raise Unavailable("the broker does not answer a pull: run `citynet doctor`") from error
        finally:
            connection.pulls.pop(self._id, None)
            if status not in (0, NO_MESSAGES, TIMED_OUT):
                self._give_up(connection)
        if status not in (0, NO_MESSAGES, TIMED_OUT) and not pull.got:
            raise Unavailable(f"the broker ended a pull with status {status}")
        return pull.got

    def _give_up(self, connection: Connection) -> None:
        """Nothing of an unfinished pull may come into the next one: a new subscription, and the caller rewinds."""
        if not connection.lost:
            connection.transport.write(b"UNSUB %b\r\n" % self._id)
        self._id = b""

    async def answer(self, replies: list[bytes], word: bytes) -> None:
        """Send word (+ACK, +WPI) to each reply. Raises Unavailable without a connection: the frames come again."""
        if self._connection is None or self._connection.lost:
            raise Unavailable("the broker is away: frames that are not acknowledged come again")
        line = b" %d\r\n%b\r\n" % (len(word), word)
        self._connection.transport.write(b"".join([b"PUB " + reply + line for reply in replies]))
