"""The pipeline and its quarantine."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from situation_center import quarantine as aside
from situation_center import views
from situation_center.api.doors import Place, ProblemRoute, ReadsPipeline, ReadsQuarantine, ReplaysQuarantine
from situation_center.views.rows import Pipeline, QuarantineRow


class Chosen(BaseModel):
    """Which frames go up again: rows, or all of one device."""

    model_config = ConfigDict(extra="forbid")
    ids: list[Annotated[int, Field(ge=1, le=9_223_372_036_854_775_807)]] = Field([], max_length=aside.IDS_MAX)
    external_id: str = Field("", max_length=200)


class Asked(TypedDict):
    """How many frames go up again."""

    frames: int


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


@router.post("/quarantine/replay", status_code=202)
async def replay(body: Chosen, actor: ReplaysQuarantine, place: Place) -> Asked:
    """Decode frames again, each once; the result is readings, or new rows of the quarantine."""
    return Asked(frames=await aside.replay_by_person(place.db, actor, external_id=body.external_id, ids=body.ids))
