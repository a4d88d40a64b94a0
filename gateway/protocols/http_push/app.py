"""`citynet run push`: takes frames by HTTP and answers 202 once JetStream has stored them, on the subjects of MQTT."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from citynet import __version__, ready
from citynet.errors import BadInput, Forbidden, Unavailable
from citynet.part import Part
from gateway.fetch import CALL
from gateway.protocols.http_push import idempotency, intake, pages, webhooks
from gateway.protocols.http_push.commands import Commands
from gateway.protocols.http_push.doors import Caller, Doors
from gateway.protocols.http_push.problems import EXPECTED, Refused, reason_of, told
from gateway.wire import protocols

BODY_WAIT_S = 30.0
IN_FLIGHT = 64
CONNECTIONS_MAX = 2_000
Lane = Literal["up", "history", "event"]


class Push:
    """The handlers. Nothing here knows the formats; intake.py does."""

    def __init__(self, part: Part) -> None:
        self.part, self.settings, self.doors = part, part.settings, Doors(part)
        self.commands = Commands(part)

    async def device(self, request: Request, device: str, lane: Lane, *, commands: bool = False) -> Response:
        """Messages of one device; with commands the answer brings what waits for it."""
        caller = await self._caller(request)
        if commands:
            self._fetching(caller, device)
        await self.doors.check(caller, [device])
        if lane != "history" and device == caller.device and caller.protocol != "native":
            raise Refused(409, "wrong_protocol", f"{device} is registered with protocol {caller.protocol}, not native")
        kind = intake.media(request.headers.get("content-type", ""))
        batch = intake.native(device, kind, await self._body(request), lane=lane, limits=self.settings)
        stored = await self._store(request, caller, batch)
        return await self._with_commands(request, device, stored) if commands else self._answer(stored)

    async def waiting(self, request: Request, device: str, wait_s: float) -> Response:
        """The commands of a device; a request without any is kept open for so long."""
        caller = await self._caller(request)
        self._fetching(caller, device)
        self.doors.spend(caller, 1)
        self._connected()
        found = await self.commands.wait(request, device, wait_s=wait_s)
        return self.commands.answer(device, found, body={}, status=200)

    @staticmethod
    def _fetching(caller: Caller, device: str) -> None:
        """Raises Forbidden, Refused: commands are for the device alone, and only for one that fetches them."""
        if device != caller.device:
            raise Forbidden("a token fetches the commands of its own device only")
        if not caller.fetches:
            detail = f"commands of {device} go by MQTT: a native device with the attribute downlink = http fetches them"
            raise Refused(409, "not_fetching", detail)

    async def _with_commands(self, request: Request, device: str, stored: dict[str, Any]) -> Response:
        """The frame is stored, whatever becomes of the commands: without the gateway none are named."""
        try:
            found = await self.commands.fetch(request, device)
        except Unavailable:
            found = []
        return self.commands.answer(device, found, body=stored, status=202)

    @staticmethod
    def _answer(stored: dict[str, Any]) -> Response:
        return JSONResponse(stored, status_code=202)

    async def batch(self, request: Request, lane: Literal["up", "history"]) -> Response:
        """Messages of several devices."""
        caller = await self._caller(request)
        kind = intake.media(request.headers.get("content-type", ""))
        body = await self._body(request)
        batch = intake.mixed(kind, body, lane=lane, own=caller.device, limits=self.settings)
        await self.doors.check(caller, {frame.device for frame in batch.frames})
        return self._answer(await self._store(request, caller, batch))

    async def things_stack(self, request: Request) -> Response:
        """A webhook of The Things Stack."""
        caller = self._network(await self._caller(request), "things_stack")
        body = await self._body(request)
        frame = webhooks.things_stack(body, application=caller.speaks_for, limits=self.settings)
        return self._answer(await self._store(request, caller, intake.Batch([frame])))

    async def chirpstack(self, request: Request, event: str) -> Response:
        """An event of ChirpStack's HTTP integration."""
        caller = self._network(await self._caller(request), "chirpstack")
        body = await self._body(request)
        frame = webhooks.chirpstack(body, event, application=caller.speaks_for, limits=self.settings)
        return self._answer(await self._store(request, caller, intake.Batch([frame])))

    async def _caller(self, request: Request) -> Caller:
        address = request.client.host if request.client else ""
        return await self.doors.caller(request.headers.get("authorization", ""), address)

    @staticmethod
    def _network(caller: Caller, protocol: str) -> Caller:
        if caller.protocol != protocol or not caller.speaks_for:
            raise Forbidden(f"this token is none of a {protocol} application: it lacks the attribute speaks_for")
        return caller

    async def _body(self, request: Request) -> bytes:
        limit = self.settings.push_body_bytes
        size = request.headers.get("content-length", "0")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "wrong_media", "send the body without Content-Encoding")
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit or (size.isdecimal() and int(size) > limit):
                        raise BadInput("too_large", f"a body may have {limit} bytes: send it in parts")
        except TimeoutError as error:
            raise Refused(408, "too_slow", f"the body did not come within {BODY_WAIT_S:.0f} s") from error
        return bytes(body)

    async def _store(self, request: Request, caller: Caller, batch: intake.Batch) -> dict[str, Any]:
        """Publish all frames in their order; the answer. Raises Unavailable when one of them was not stored."""
        self._connected()
        self.doors.spend(caller, len(batch.frames))
        ids = idempotency.message_ids(caller.credential_id, request.headers.get("idempotency-key", ""), batch.frames)
        for start in range(0, len(ids), IN_FLIGHT):
            piece = zip(batch.frames[start : start + IN_FLIGHT], ids[start : start + IN_FLIGHT], strict=True)
            work = [self.part.bus.publish(frame.subject, frame.data, msg_id=msg_id) for frame, msg_id in piece]
            for result in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        self.part.counters["pushed"] += len(batch.frames)
        answer: dict[str, Any] = {"stored": len(batch.frames)}
        if batch.refused:
            answer["refused"] = [{"reason": one.reason, "key": one.key, "detail": one.detail} for one in batch.refused]
        return answer

    async def health(self) -> JSONResponse:
        """Whether frames can be stored now."""
        self._connected()
        return JSONResponse({"well": True})

    async def ready(self) -> JSONResponse:
        """Whether frames can be taken now; strangers ask too, so without details."""
        body, status = ready.answer(await ready.checks(self.part.db, self.part.bus), details=False)
        return JSONResponse(body, status_code=status)

    def _connected(self) -> None:
        if not self.part.bus.client.is_connected:
            raise Unavailable("no connection to the broker")  # now, and not after the broker's time-out


def application(part: Part, push: Push) -> FastAPI:
    """The web application of the part."""
    protocols()
    app = FastAPI(
        title="citynet HTTP push", version=__version__, description=pages.ABOUT, docs_url=None, redoc_url=None
    )
    app.openapi_url = None

    async def counted(request: Request, error: Exception) -> JSONResponse:
        part.counters[f"refused_{reason_of(error)}"] += 1
        return await told(request, error)

    for kind in EXPECTED:
        app.add_exception_handler(kind, counted)
    pages.routes(app, push)
    return app


class Server(uvicorn.Server):
    """uvicorn inside a part: the part's shell has the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


async def run(part: Part) -> None:
    """Serve until the part stops. Raises OSError when the port is taken."""
    push = Push(part)
    unsubscribe = await part.bus.subscribe("changes.>", push.doors.forget)
    hang_up = await part.bus.subscribe(f"{CALL}*", push.commands.called)
    config = uvicorn.Config(
        application(part, push),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )
    server = Server(config)
    place = (part.settings.push_host, part.settings.push_port)
    with socket.create_server(
        place, backlog=1024, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    ) as door:
        # asyncio sets it only on sockets that name their protocol; without it each answer waits 40 ms.
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serving = asyncio.create_task(server.serve(sockets=[door]))
        stopping = asyncio.create_task(part.stopping.wait())
        part.active = True
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            part.active = False
            server.should_exit = True
            stopping.cancel()
            await asyncio.wait([serving, stopping])
            await unsubscribe()
            await hang_up()
    serving.result()
