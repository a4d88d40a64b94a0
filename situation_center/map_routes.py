"""Addresses of the live map: base.geojson, objects.json, heat/<quantity>.json, track/<id>.json, websocket live."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from citynet.access import Actor, allowed, require
from citynet.catalog import Heat, Service, catalog
from citynet.db import Row
from citynet.errors import BadInput, Forbidden, NotFound, Unavailable
from citynet.model import Quality
from situation_center import auth, views
from situation_center.desk import desk, viewer, visit
from situation_center.gate import SESSION_ENDED
from situation_center.map_base import BaseMap
from situation_center.map_feed import SQL, Viewer, feed, heats
from situation_center.map_heat import Field, interpolate
from situation_center.screens.parts.failures import FAILURES
from situation_center.views.base import quantity
from situation_center.wording import clock_time, measured, unit, word

IDS_MAX = 50
INT4_MAX = 2_147_483_647
ASK_BYTES_MAX = 1_000
# The page calls 15 s without a frame a lost connection.
BEAT_S = 4.0
PACE_S = 0.25
SESSION_S = 10.0
FULL = 1013
# Meters report hourly; what is older than three reports says nothing of now.
STATION_HOURS_MAX = 3
DOUBTFUL = Quality.OUT_OF_RANGE | Quality.CLOCK_DOUBTFUL | Quality.STUCK
Handler = Callable[[Request], Awaitable[Response]]
_base = BaseMap()


def _answered(handler: Handler) -> Handler:
    """Errors as a status with a word for the browser's console."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NotFound as error:
            status, text = 404, str(error)
        except Forbidden as error:
            status, text = 403, str(error)
        except BadInput as error:
            status, text = 400, str(error)
        except FAILURES:
            status, text = 503, "the database does not answer: try again"
        return JSONResponse({"error": text}, status_code=status)

    return answer


async def base(request: Request) -> Response:
    """The base map; the browser keeps it and asks whether it is still the same."""
    packed = await _base.get(desk().db, viewer())
    headers = {"ETag": packed.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie"}
    if packed.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed.body, media_type="application/geo+json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed.body), media_type="application/geo+json", headers=headers)


async def objects(request: Request) -> Response:
    """Names and one value each of the objects ?ids=1,2,3; those the viewer may not know of are missing."""
    who = viewer()
    require(who, "screen.open")
    ids = _ids(request.query_params.get("ids", ""))
    rows = await desk().db.rows(SQL["names"], {"ids": ids})
    named = [_named(who, row) for row in rows if allowed(who, "screen.open", row)]
    return Response(msgspec.json.encode({"objects": named}), media_type="application/json")


def _ids(text: str) -> list[int]:
    words = text.split(",")
    if len(words) > IDS_MAX or not all(w.isascii() and w.isdecimal() and len(w) < 10 for w in words):
        raise BadInput("bad_ids", f"ids is 1 to {IDS_MAX} numbers with commas")
    return [int(w) for w in words]


def _named(who: Actor, row: Row) -> dict[str, Any]:
    value = row["quantity"] is not None and allowed(who, "reading.read", row)
    texts = {f"text_{lang}": _text(lang, row, with_value=value) for lang in ("ru", "en")}
    return {"id": row["object_id"], "name_ru": row["name_ru"], "name_en": row["name_en"], **texts}


def _text(language: str, row: Row, *, with_value: bool) -> str:
    kind = word(language, "class", row["class"])
    if not with_value:
        return kind
    said = quantity(row["quantity"], row["unit"])
    name = said.name_ru if language == "ru" else said.name_en
    moment: datetime = row["time"]
    value = measured(language, row["value"], row["unit"])
    return f"{kind} · {name}: {value} · {clock_time(moment, desk().zone)}"


async def heat(request: Request) -> Response:
    """The field of a quantity between its stations."""
    who, name = viewer(), request.path_params["quantity"]
    service, spec = _heat(name)
    require(who, "reading.read", {"service": service.name})
    wanted = {"quantity": name, "doubtful": int(DOUBTFUL), "hours": STATION_HOURS_MAX}
    rows = await desk().db.rows(SQL["stations"], wanted)
    seen = [row for row in rows if allowed(who, "reading.read", row)]
    columns = [np.array([row[c] for row in seen], dtype=np.float64) for c in ("lon", "lat", "value")]
    field = await asyncio.to_thread(interpolate, *columns)
    time_ms = max((row["time_ms"] for row in seen), default=None)
    body = {
        **(_shown(field) if field else _nowhere()),
        "min": spec.min,
        "max": spec.max,
        "unit": unit(who.language, quantity(name).unit),
        "title_ru": spec.title_ru,
        "title_en": spec.title_en,
        "time": time_ms,
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


async def track(request: Request) -> Response:
    """The way of a moving object in the last 24 h as a line of GeoJSON; bare of what it may not have driven."""
    who, number = viewer(), request.path_params["object_id"]
    if number > INT4_MAX:
        raise NotFound("no object")
    until = (await views.strip(desk().db, who))["now"]
    way = await views.track(desk().db, who, number, until=until)
    line = {"type": "LineString", "coordinates": [[fix.lon, fix.lat] for fix in way.fixes]}
    return Response(msgspec.json.encode(line), media_type="application/geo+json")


def _heat(name: str) -> tuple[Service, Heat]:
    for service in catalog().services.values():
        for spec in service.heat:
            if spec.quantity == name:
                return service, spec
    raise NotFound(f"no heat map {name[:40]}")


def _shown(field: Field) -> dict[str, Any]:
    height, width = field.values.shape
    values = [None if np.isnan(v) else round(v, 4) for v in field.values.ravel().tolist()]
    box = {"west": field.west, "south": field.south, "east": field.east, "north": field.north}
    doubt = np.round(field.doubt, 3).ravel().tolist()
    return {**box, "width": width, "height": height, "values": values, "uncertainty": doubt}


def _nowhere() -> dict[str, Any]:
    """One empty cell: nobody measures this at present."""
    cell = {"width": 1, "height": 1, "values": [None], "uncertainty": [1.0]}
    return {"west": 0.0, "south": 0.0, "east": 0.001, "north": 0.001, **cell}


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What the page sends: a snapshot, with the values of a heat map's quantity."""

    ask: str
    heat: str | None = None


async def live(socket: WebSocket) -> None:
    """Frames of web/src/wire.js for as long as the session lives. The gate has checked session and origin."""
    seen = visit()
    await socket.accept()
    try:
        require(seen.actor, "screen.open")
        watching = feed().join(seen.actor)
    except (Forbidden, Unavailable):
        await socket.close(FULL)
        return
    asks = asyncio.create_task(_asks(socket, watching))
    try:
        await _push(socket, watching, seen.token, asks=asks)
    except (WebSocketDisconnect, RuntimeError, OSError):
        pass  # gone in the middle of a frame: nobody to tell
    finally:
        watching.feed.leave(watching)
        asks.cancel()
        with suppress(asyncio.CancelledError):
            await asks


async def _asks(socket: WebSocket, watching: Viewer) -> None:
    """Take questions until the page goes or says something that is none."""
    with suppress(WebSocketDisconnect, KeyError, msgspec.MsgspecError):
        while True:
            text = await socket.receive_text()
            said = msgspec.json.decode(text[:ASK_BYTES_MAX], type=Ask)
            watching.ask(said.heat if said.heat in heats() else None)
    watching.changed.set()


async def _push(socket: WebSocket, watching: Viewer, token: str, *, asks: asyncio.Task[None]) -> None:
    """A frame whenever something changes, a heartbeat otherwise; nothing once the session has ended."""
    checked = time.monotonic()
    while not asks.done():
        if time.monotonic() - checked > SESSION_S:
            if not await _still_in(watching, token):
                await socket.close(SESSION_ENDED)
                return
            checked = time.monotonic()
        for frame in (watching.frame(), watching.moved()):
            if frame:
                await socket.send_bytes(frame)
        await asyncio.sleep(PACE_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(watching.changed.wait(), BEAT_S)
        watching.changed.clear()
    with suppress(RuntimeError):
        await socket.close()


async def _still_in(watching: Viewer, token: str) -> bool:
    """Whether the session lives; who cannot be asked now is asked again later, and gets nothing new meanwhile."""
    try:
        actor = await auth.actor_of(desk().db, token)
    except FAILURES:
        return True
    if actor:
        watching.become(actor)
    return actor is not None


ROUTES: list[BaseRoute] = [
    Route("/map/base.geojson", _answered(base)),
    Route("/map/objects.json", _answered(objects)),
    Route("/map/heat/{quantity}.json", _answered(heat)),
    Route("/map/track/{object_id:int}.json", _answered(track)),
    WebSocketRoute("/map/live", live),
]
