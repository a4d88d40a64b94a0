"""Addresses for machines that watch the city: /readyz and /metrics. Whether it lives at all is /healthz of app.py."""

import asyncio

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from citynet import ready
from citynet.access import allowed
from citynet.db import AWAY
from citynet.errors import CitynetError, Unavailable
from situation_center import metrics
from situation_center.api.doors import PUBLIC, Place, ProblemRoute, ReadsPipeline, who

router = APIRouter(route_class=ProblemRoute, include_in_schema=False)


@router.get("/readyz", dependencies=[PUBLIC])
async def readiness(request: Request, place: Place) -> JSONResponse:
    """200 when this process can work, else 503. What each check says is for those who may see the pipeline."""
    found = await ready.checks(place.db, place.db.bus)
    details = await _may_see(request)
    if details:
        try:
            found += metrics.lag_checks(await metrics.look(place.db))
        except (*AWAY, Unavailable) as error:
            found.append(ready.Check("lag", False, {"error": str(error).partition("\n")[0]}, needed=False))
    body, status = ready.answer(found, details=details)
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})


async def _may_see(request: Request) -> bool:
    """Nobody is refused here, and with the database away nobody is known."""
    try:
        return allowed(await who(request), "pipeline.read")
    except (*AWAY, CitynetError, HTTPException):
        return False


@router.get("/metrics")
async def figures(_: ReadsPipeline, place: Place) -> Response:
    """All figures in the text format of Prometheus."""
    body = metrics.text(await place.figures.last(), place.hub, now=asyncio.get_running_loop().time())
    return Response(body, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
