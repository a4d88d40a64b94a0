"""An HTTP API as The Things Stack has it for downlinks: its addresses, its key, and the answers that a test wants."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

KEY = "NNSXS.KEY"


@dataclass
class Cluster:
    """What the server answers next (200 when nothing is left), and what it was asked."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        api = FastAPI()

        @api.post("/{path:path}")
        async def down(request: Request) -> JSONResponse:
            assert request.headers["user-agent"].startswith("citynet/")
            self.asked.append((request.url.path, await request.json()))
            if request.headers["authorization"] != f"Bearer {KEY}":
                return JSONResponse({"code": 7, "message": "no rights"}, status_code=403)
            status = self.answers.pop(0) if self.answers else 200
            return JSONResponse({}, status_code=status)

        return api


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(made: Cluster) -> AsyncIterator[Cluster]:
    """The server at work on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        made.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        server = Server(uvicorn.Config(made.app(), log_level="warning", lifespan="off"))
        work = asyncio.create_task(server.serve(sockets=[door]))
        yield made
        server.should_exit = True
        await work
