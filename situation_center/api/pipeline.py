"""The pipeline and its quarantine."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from situation_center import views
from situation_center.api.doors import Place, ProblemRoute, ReadsPipeline, ReadsQuarantine
from situation_center.views.rows import Pipeline, QuarantineRow

router = APIRouter(tags=["pipeline"], route_class=ProblemRoute)


@router.get("/pipeline")
async def parts(actor: ReadsPipeline, place: Place) -> Pipeline:
    """Rates, counters and gauges of each part; reasons of the last day's quarantine."""
    return await views.pipeline(place.db, actor, place.hub)


@router.get("/quarantine")
async def quarantine(actor: ReadsQuarantine, place: Place) -> list[QuarantineRow]:
    """The newest refused frames and rows, with the reason."""
    return (await views.pipeline(place.db, actor, place.hub))["quarantine"]


@router.get("/quarantine/{quarantine_id}/payload", response_class=Response)
async def payload(
    quarantine_id: Annotated[int, Path(ge=1, le=9_223_372_036_854_775_807)], actor: ReadsQuarantine, place: Place
) -> Response:
    """The bytes as they came."""
    data = await views.quarantined_bytes(place.db, actor, quarantine_id)
    headers = {"Content-Disposition": f'attachment; filename="quarantine-{quarantine_id}.bin"'}
    return Response(data, media_type="application/octet-stream", headers=headers)
