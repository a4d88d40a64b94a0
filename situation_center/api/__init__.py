"""The REST API under /api/v1, with OpenAPI. app.py calls install(); every route declares its action and asks access."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response

from citynet import __version__
from situation_center.api import (
    addresses,
    codecs,
    commands,
    devices,
    exports,
    groups,
    incidents,
    objects,
    operations,
    pipeline,
    profiles,
    readings,
    registry,
    webhooks,
)
from situation_center.api.doors import PUBLIC, ProblemRoute, public
from situation_center.api.problems import problem

PREFIX = "/api/v1"
ABOUT = (
    "Readings, objects, incidents and commands of a city. Sign in with the session cookie of the screens or with "
    "`Authorization: Bearer <API key>` (`citynet account key`). Errors are RFC 9457 problem details."
)
router = APIRouter(prefix=PREFIX, route_class=ProblemRoute)
for room in (
    readings,
    exports,
    registry,
    profiles,
    codecs,
    addresses,
    devices,
    objects,
    incidents,
    commands,
    groups,
    pipeline,
    webhooks,
):
    router.include_router(room.router)


@router.get("/openapi.json", include_in_schema=False, dependencies=[PUBLIC])
async def schema() -> JSONResponse:
    """The machine-readable description of the API."""
    return JSONResponse(description())


@router.get("/docs", include_in_schema=False, dependencies=[PUBLIC])
async def docs() -> HTMLResponse:
    """The same for people, without scripts from elsewhere."""
    rows = [
        f"<tr><td>{method.upper()}</td><td><code>{path}</code></td><td>{operation.get('summary', '')}</td>"
        f"<td>{operation.get('description', '')}</td></tr>"
        for path, operations in sorted(description()["paths"].items())
        for method, operation in operations.items()
    ]
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>citynet API</title><style>td{padding:4px 12px;'
    style = "vertical-align:top;border-bottom:1px solid #ccc}body{font-family:sans-serif}</style>"
    link = f'<p><a href="{PREFIX}/openapi.json">OpenAPI</a></p>'
    return HTMLResponse(f"{head}{style}<h1>citynet API {__version__}</h1>{link}<table>{''.join(rows)}</table></html>")


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    return get_openapi(title="citynet", version=__version__, description=ABOUT, routes=router.routes)


@public
async def nothing_here(request: Request) -> Response:
    """404 for everything else under /api."""
    return problem(404, "not_found", f"there is no {request.url.path[:200]}: see {PREFIX}/docs")


def install(app: FastAPI) -> None:
    """Add the API to the application, before Dash's catch-all answers for unknown addresses."""
    app.include_router(router)
    app.include_router(operations.router)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.add_api_route("/api/{path:path}", nothing_here, methods=methods, include_in_schema=False)
