"""Readings: newest values of an object or a place, windows of a series, periods, totals, versions."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from situation_center import query, views
from situation_center.api.doors import Place, ProblemRoute, ReadsReadings
from situation_center.api.objects import object_id_of
from situation_center.query.filling import Fill
from situation_center.query.newest import PAGE_MAX
from situation_center.query.window import POINTS_MAX, Asked
from situation_center.views.rows import NewestPage, Period, Points, SeriesRow
from situation_center.views.series import By

router = APIRouter(tags=["readings"], route_class=ProblemRoute)
SeriesId = Annotated[int, Path(ge=0, le=2_147_483_647)]
Ref = Annotated[str | None, Query(max_length=200, description="id, UUID or key of an object or zone; none = the city")]
Begins = Annotated[int, Query(ge=1, le=28, description="day on which months begin, for a billing period")]
Quantity = Annotated[str, Query(max_length=63)]


@router.get("/readings/newest")
async def newest(
    actor: ReadsReadings, place: Place, object_: Annotated[str, Query(alias="object", max_length=200)]
) -> list[SeriesRow]:
    """Newest value of each series of an object, given as id, UUID or key."""
    return (await views.object_card(place.db, actor, await object_id_of(place.db, actor, object_)))["series"]


@router.get("/readings/newest-within")
async def newest_within(
    actor: ReadsReadings,
    place: Place,
    *,
    within: Ref = None,
    quantity: Annotated[tuple[Quantity, ...], Query(max_length=20)] = (),
    after: Annotated[int, Query(ge=-1, le=2_147_483_647)] = -1,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1_000,
    as_of: Annotated[datetime | None, Query(description="as they were at a moment of the city")] = None,
    known_at: Annotated[datetime | None, Query(description="by what was recorded until then")] = None,
) -> NewestPage:
    """Newest values of all that lies in a zone or hangs below an object, with quality and age; pages by `after`.

    With `as_of` those of any moment, as known now or at `known_at`.
    """
    root = await object_id_of(place.db, actor, within) if within else None
    return await query.newest(
        place.db,
        actor,
        place=root,
        quantities=quantity,
        after=after,
        limit=limit,
        as_of=as_of,
        known_at=known_at,
    )


@router.get("/readings/totals")
async def totals(
    actor: ReadsReadings,
    place: Place,
    *,
    within: Ref = None,
    quantity: Quantity,
    by: By = "day",
    since: date,
    until: date,
    begins: Begins = 1,
) -> query.Totals:
    """Consumption, mean and range of all series of a quantity in a place, by period, and how many of them are in it."""
    root = await object_id_of(place.db, actor, within) if within else None
    given = {"since": since, "until": until}
    return await query.totals(place.db, actor, place=root, quantity=quantity, by=by, begins=begins, **given)


@router.get("/series/{series_id}/readings")
async def readings(
    series_id: SeriesId,
    actor: ReadsReadings,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Points:
    """Readings in [since, until), both with a zone; more than limit become means over equal steps (step_s)."""
    return await views.points(place.db, actor, series_id, since=since, until=until, limit=limit)


@router.get("/series/{series_id}/window")
async def window(
    series_id: SeriesId,
    actor: ReadsReadings,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    points: Annotated[int, Query(ge=1, le=POINTS_MAX)] = 1_000,
    step: Asked = "auto",
    fill: Fill = "none",
    fill_max_s: Annotated[int, Query(ge=0, le=31 * 86_400, description="no longer gap is filled")] = 3_600,
    original: Annotated[bool, Query(description="as received, without corrections")] = False,
) -> query.Window:
    """Readings, hours or days, whichever are finest within `points`; gaps filled on request and marked."""
    return await query.window(
        place.db,
        actor,
        series_id,
        since=since,
        until=until,
        points=points,
        step=step,
        fill_with=fill,
        fill_max=timedelta(seconds=fill_max_s),
        original=original,
    )


@router.get("/series/{series_id}/versions")
async def versions(
    series_id: SeriesId,
    actor: ReadsReadings,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[query.Version]:
    """Corrected readings in [since, until): what was received (version 0) and each correction, by whom, when, why."""
    return await query.versions(place.db, actor, series_id, since=since, until=until, limit=limit)


@router.get("/series/{series_id}/periods")
async def periods(
    series_id: SeriesId,
    actor: ReadsReadings,
    place: Place,
    *,
    by: By = "day",
    since: date,
    until: date,
    begins: Begins = 1,
) -> list[Period]:
    """Hours, days or months in [since, until), local days of the city: figures, and consumption of a register."""
    return await views.periods(place.db, actor, series_id, by=by, since=since, until=until, begins=begins)
