"""Export of readings as a file that is written while it is sent; closing the connection ends it."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from situation_center.api.doors import Place, ProblemRoute, ReadsReadings
from situation_center.api.objects import object_id_of
from situation_center.query.export.plan import Format, Step, Wish
from situation_center.query.export.stream import Export, export
from situation_center.store import Center

router = APIRouter(tags=["readings"], route_class=ProblemRoute)
SERIES_MAX = 1_000


class Sent(StreamingResponse):
    """Gives the place of the export free, however it ends."""

    def __init__(self, made: Export, name: str) -> None:
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{made.writer.suffix}"',
            "Content-Encoding": "identity",  # or the screens' compression would spend its time on what is compressed
            "X-Rows-Expected": str(made.rows),
            "X-Bytes-Expected": str(made.size),
            "Cache-Control": "no-store",
        }
        super().__init__(made.body, media_type=made.writer.media_type, headers=headers)
        self._made = made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See StreamingResponse."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._made.close()
            await self._made.body.aclose()  # type: ignore[attr-defined]


def _wish(
    *,
    since: datetime,
    until: datetime,
    step: Step = "raw",
    series: Annotated[tuple[int, ...], Query(max_length=SERIES_MAX)] = (),
    quantity: Annotated[tuple[str, ...], Query(max_length=20)] = (),
    original: Annotated[bool, Query(description="readings as received, without corrections")] = False,
    begins: Annotated[int, Query(ge=1, le=28, description="day on which months begin")] = 1,
) -> Wish:
    return Wish(since, until, step, None, series, quantity, original, begins)


@router.get("/readings/export", response_class=Response)
async def readings_export(
    actor: ReadsReadings,
    place: Place,
    *,
    wish: Annotated[Wish, Depends(_wish)],
    within: Annotated[
        str | None, Query(max_length=200, description="object or zone; all in it, none = the city")
    ] = None,
    kind: Annotated[Format, Query(alias="format")] = "csv",
    excel: Annotated[bool, Query(description="CSV for a spreadsheet in Russia: semicolons, decimal commas")] = False,
) -> Any:
    """Readings, hours, days or months of series or of all in a place, as CSV, XLSX or Parquet.

    Only series that you may read. X-Rows-Expected and X-Bytes-Expected say about how much comes, 0 = not known.
    """
    wish = await _placed(place.db, actor, wish, within=within)
    made = await export(place.db, actor, wish, kind=kind, excel=excel)
    return Sent(made, f"readings-{wish.since:%Y%m%d}-{wish.until:%Y%m%d}")


async def _placed(db: Center, actor: ReadsReadings, wish: Wish, *, within: str | None) -> Wish:
    return replace(wish, place=await object_id_of(db, actor, within)) if within else wish
