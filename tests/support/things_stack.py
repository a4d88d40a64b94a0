"""An HTTP API as The Things Stack has it: its addresses, keys, field masks, pages and errors."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

KEY, GATEWAY_KEY = "NNSXS.KEY", "NNSXS.GATEWAYS"
PAGE_MAX = 1_000
# Of which of its registries each field of a device is; ids and times are always told.
FIELDS = {
    "": ("name", "description", "attributes", "version_ids", "locations", "network_server_address",
         "application_server_address", "join_server_address"),
    "as": ("version_ids", "formatters", "skip_payload_crypto_override"),
    "ns": ("version_ids", "supports_class_b", "supports_class_c", "frequency_plan_id", "lorawan_version",
           "mac_state"),
}  # fmt: skip
ALWAYS = ("ids", "created_at", "updated_at")


def fault(status: int, code: int, name: str, words: str) -> JSONResponse:
    """An error as the stack writes it."""
    told = {"namespace": "pkg/test", "name": name, "message_format": words}
    body = {"code": code, "message": f"error:pkg/test:{name} ({words})", "details": [told]}
    return JSONResponse(body, status_code=status)


def masked(thing: dict[str, Any], fields: str, allowed: tuple[str, ...]) -> dict[str, Any] | None:
    """What the mask asks for, without what is empty; None for a field that this registry does not have."""
    wanted = [one.split(".")[0] for one in fields.split(",") if one]
    if set(wanted) - set(allowed):
        return None
    return {name: thing[name] for name in (*ALWAYS, *wanted) if thing.get(name)}


@dataclass
class Cluster:
    """What the server answers next (200 when nothing is left), and what it was asked.

    devices: of the application city-bins, whole; each registry tells its own fields. codecs: by model.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    gateways: list[dict[str, Any]] = field(default_factory=list)
    default: dict[str, str] = field(default_factory=dict)
    codecs: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    queue: list[dict[str, Any]] = field(default_factory=list)  # of whichever device is asked about
    on_replace: Callable[[], None] | None = None

    def _entered(self, request: Request, key: str) -> JSONResponse | None:
        self.reads.append(request.url.path)
        if self.answers and (status := self.answers.pop(0)) != 200:
            limited = {"X-Rate-Limit-Retry": "0"} if status == 429 else {}
            return JSONResponse({"code": 8, "message": "planted"}, status_code=status, headers=limited)
        if request.headers.get("authorization") != f"Bearer {key}":
            return fault(403, 7, "no_application_rights", "no rights for application")
        return None

    def _page(self, request: Request, name: str, items: list[dict[str, Any]], *, allowed: tuple[str, ...]) -> Any:
        words = request.query_params
        limit, page = int(words.get("limit", "50")), max(1, int(words.get("page", "1")))
        if limit > PAGE_MAX:
            return fault(400, 3, "limit", "limit too high")
        told = [masked(one, words.get("field_mask", ""), allowed) for one in items[(page - 1) * limit : page * limit]]
        if None in told:
            return fault(400, 3, "forbidden_path", "forbidden path(s)")
        return JSONResponse({name: told}, headers={"X-Total-Count": str(len(items))})

    def _registries(self, api: FastAPI) -> None:
        @api.get("/api/v3/applications/city-bins/devices")
        async def listed(request: Request) -> Any:
            return self._entered(request, KEY) or self._page(request, "end_devices", self.devices, allowed=FIELDS[""])

        @api.get("/api/v3/gateways")
        async def gateways(request: Request) -> Any:
            allowed = ("name", "description", "antennas")
            entered = self._entered(request, GATEWAY_KEY)
            return entered or self._page(request, "gateways", self.gateways, allowed=allowed)

        @api.get("/api/v3/{server}/applications/city-bins/devices/{device}")
        async def one(request: Request, server: str, device: str) -> Any:
            if entered := self._entered(request, KEY):
                return entered
            known = next((one for one in self.devices if one["ids"]["device_id"] == device), None)
            if known is None or known.get("elsewhere"):
                return fault(404, 5, "device_not_found", "device not found")
            told = masked(known, request.query_params["field_mask"], FIELDS[server])
            return fault(400, 3, "forbidden_path", "forbidden path(s)") if told is None else JSONResponse(told)

        @api.get("/api/v3/as/applications/city-bins/devices/{device}/down")
        async def queue(request: Request) -> Any:
            return self._entered(request, KEY) or JSONResponse({"downlinks": self.queue} if self.queue else {})

        @api.post("/api/v3/as/applications/city-bins/devices/{device}/down/replace")
        async def replace(request: Request) -> Any:
            if entered := self._entered(request, KEY):
                return entered
            self.queue = (await request.json())["downlinks"]
            if self.on_replace:
                self.on_replace()
            return JSONResponse({})

        @api.get("/api/v3/as/applications/city-bins/link")
        async def link(request: Request) -> Any:
            return self._entered(request, KEY) or JSONResponse(
                {"default_formatters": self.default} if self.default else {}
            )

        place = "/api/v3/dr/applications/city-bins/brands/{b}/models/{model}/{f}/{n}/formatters/uplink/decoder"

        @api.get(place)
        async def codec(request: Request, model: str) -> Any:
            if entered := self._entered(request, KEY):
                return entered
            if model not in self.codecs:
                return fault(404, 5, "no_decoder", "no decoder")
            return JSONResponse({"formatter_parameter": self.codecs[model]})

    def app(self) -> FastAPI:
        api = FastAPI()
        self._registries(api)

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
