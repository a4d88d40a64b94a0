"""The web process: sign-in, screens, REST API and map feed on one port. Entry of `citynet run web`: serve(settings)."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import structlog
import uvicorn
from dash import Dash
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from citynet import bus as broker
from citynet.access import Actor
from citynet.errors import Unavailable
from citynet.model import PartStats
from citynet.settings import Settings
from citynet.usage import usage
from situation_center import api, app_signin, auth, desk, map_feed, map_routes
from situation_center.gate import Gate
from situation_center.live import Hub
from situation_center.screens import screens
from situation_center.screens.parts import feed, shell
from situation_center.screens.parts.failures import FAILURES, defect
from situation_center.store import open_center

log = structlog.get_logger()
HERE = Path(__file__).parent
RETRY_S = 0.5
GZIP_MIN_BYTES = 1000
INDEX = """<!DOCTYPE html>
<html lang="{language}" data-theme="{theme}" data-ag-theme-mode="{theme}">
<head>{metas}<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="icon" href="/assets/favicon.svg" type="image/svg+xml">{css}</head>
<body data-ag-theme-mode="{theme}">{app_entry}<footer>{config}{scripts}{renderer}</footer></body></html>
"""


class Screens(Dash):
    """Dash whose first byte already has the viewer's language and theme: no flash, and screen readers speak right."""

    def interpolate_index(self, *_: Any, **parts: Any) -> str:
        """The page around the application, for whoever asks. Dash gives the parts by name."""
        who = desk.viewer()
        return INDEX.format(language=who.language, theme=who.theme, **parts)


class Web:
    """The application and what it needs while it runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warm_up_token = secrets.token_urlsafe(32)
        self.scripts: list[str] = []
        self.api = FastAPI(title="citynet", docs_url=None, redoc_url=None, openapi_url=None, lifespan=self._lifespan())
        self._routes()
        self.dash = self._dash()
        self.api.add_middleware(GZipMiddleware, minimum_size=GZIP_MIN_BYTES)
        cookie, public_url = auth.cookie_name(settings), settings.public_url
        self.api.add_middleware(Gate, cookie=cookie, find=self._find, scripts=self.scripts, public_url=public_url)

    def _lifespan(self) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            place = await _open_desk(self.settings)
            desk.open_desk(place)
            statistics = asyncio.create_task(_statistics(place))
            try:
                await self._warm_up()
                async with map_feed.running(place.db, place.hub):
                    yield
            finally:
                statistics.cancel()
                with suppress(asyncio.CancelledError):
                    await statistics
                desk.open_desk(None)
                await place.figures.close()
                await place.album.close()
                await place.db.bus.close()
                await place.db.close()

        return lifespan

    def _routes(self) -> None:
        self.api.router.routes.extend([*app_signin.ROUTES, *map_routes.ROUTES])
        self.api.add_api_route("/healthz", _health, methods=["GET"], include_in_schema=False)
        api.install(self.api)
        self.api.mount("/vendor", StaticFiles(directory=HERE / "vendor", check_dir=False), name="vendor")

    def _dash(self) -> Dash:
        screens()
        server: Any = self.api  # Dash's annotations know only Flask
        dash = Screens(
            "situation_center",
            server=server,
            title="citynet",
            update_title="",
            on_error=defect,
            assets_folder=str(HERE / "assets"),
            suppress_callback_exceptions=True,
            external_stylesheets=["/vendor/noto-sans.css"],
            websocket_inactivity_timeout=0,
            websocket_allowed_origins=[self.settings.public_url] if self.settings.public_url else [],
        )
        dash.layout = shell.layout
        return dash

    async def _find(self, token: str) -> Actor | None:
        """Who holds a session; the warm-up has one of its own, known to this process alone."""
        if secrets.compare_digest(token, self.warm_up_token):
            return Actor(0, "warm-up", "executive")
        try:
            return await auth.actor_of(desk.desk().db, token)
        except FAILURES as error:
            raise Unavailable("the database does not answer: try again") from error

    async def _warm_up(self) -> None:
        """Only a request to Dash itself completes its set-up; a deep link as first request would break the page."""
        cookie = {auth.cookie_name(self.settings): self.warm_up_token}
        transport = httpx.ASGITransport(app=self.api)
        async with httpx.AsyncClient(transport=transport, base_url="http://warm.up", cookies=cookie) as client:
            for path in ("/_dash-layout", "/_dash-dependencies", "/"):
                (await client.get(path)).raise_for_status()
        self.scripts[:] = sorted(set(self.dash.csp_hashes()))


async def _open_desk(settings: Settings) -> desk.Desk:
    """Connect, waiting as long as it takes."""
    while True:
        try:
            bus = await broker.connect(settings, "center")
            try:
                db = await open_center(settings, bus)
            except Unavailable:
                await bus.close()
                raise
            return desk.Desk(settings, db, await Hub(bus).start())
        except Unavailable as error:
            log.warning("waiting", part="web", error=str(error))
            await asyncio.sleep(RETRY_S)


async def _statistics(place: desk.Desk) -> None:
    """The web process reports like every part."""
    while True:
        gauges = {"screens": float(len(feed._running)), **usage()}
        stats = PartStats("web", os.getpid(), True, {}, gauges)
        with suppress(Unavailable):
            await place.db.bus.push("stats.web", msgspec.json.encode(stats))
        await asyncio.sleep(1)


async def _health() -> JSONResponse:
    """200 when the database answers."""
    try:
        await desk.desk().db.row("SELECT 1 AS one")
    except FAILURES as error:
        return JSONResponse({"ok": False, "error": str(error).splitlines()[0]}, status_code=503)
    return JSONResponse({"ok": True})


def serve(settings: Settings) -> None:
    """Serve until SIGTERM. One worker: sessions live in PostgreSQL, the hub in this process."""
    web = Web(settings)
    uvicorn.run(
        web.api,
        host=settings.web_host,
        port=settings.web_port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
