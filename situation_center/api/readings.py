"""Readings: newest values of an object, a window of a series."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from situation_center import views
from situation_center.api.doors import Place, ProblemRoute, ReadsReadings
from situation_center.api.objects import object_id_of
from situation_center.views.rows import Period, Points, SeriesRow
from situation_center.views.series import By

router = APIRouter(tags=["readings"], route_class=ProblemRoute)


@router.get("/readings/newest")
async def newest(
    actor: ReadsReadings, place: Place, object_: Annotated[str, Query(alias="object", max_length=200)]
) -> list[SeriesRow]:
    """Newest value of each series of an object, given as id, UUID or key."""
    return (await views.object_card(place.db, actor, await object_id_of(place.db, actor, object_)))["series"]


@router.get("/series/{series_id}/readings")
async def window(
    series_id: Annotated[int, Path(ge=0, le=2_147_483_647)],
    actor: ReadsReadings,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Points:
    """Readings in [since, until), both with a zone; more than limit become means over equal steps (step_s)."""
    return await views.points(place.db, actor, series_id, since=since, until=until, limit=limit)


@router.get("/series/{series_id}/periods")
async def periods(
    series_id: Annotated[int, Path(ge=0, le=2_147_483_647)],
    actor: ReadsReadings,
    place: Place,
    *,
    by: By = "day",
    since: date,
    until: date,
    begins: Annotated[int, Query(ge=1, le=28, description="day on which months begin, for a billing period")] = 1,
) -> list[Period]:
    """Hours, days or months in [since, until), local days of the city: figures, and consumption of a register."""
    return await views.periods(place.db, actor, series_id, by=by, since=since, until=until, begins=begins)
