"""The registry as files: upload and check, report, apply, export. For administrators; export for whoever reads it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from typing_extensions import TypedDict

from citynet.errors import BadInput
from situation_center import views
from situation_center.accounts import base_url
from situation_center.api.doors import Place, ProblemRoute, ReadsRegistry, WritesRegistry
from situation_center.reference import exporting, jobs
from situation_center.reference.jobs import Job
from situation_center.reference.labels import sheet
from situation_center.reference.report import report_lines
from situation_center.reference.table import FILE_BYTES_MAX
from situation_center.views.base import scope
from situation_center.views.registry import PAGE, PAGE_MAX, Filter, registry_page_at
from situation_center.views.rows import RegistryPage

router = APIRouter(tags=["registry"], route_class=ProblemRoute)


class Accepted(TypedDict):
    """A file is kept and being checked: ask for the import."""

    import_id: UUID


def _wanted(
    *,
    text: Annotated[str, Query(max_length=200)] = "",
    cls: Annotated[str | None, Query(alias="class", max_length=63)] = None,
    service: Annotated[str | None, Query(max_length=63)] = None,
    life_cycle: Annotated[str | None, Query(max_length=20)] = None,
    profile: Annotated[str | None, Query(max_length=200)] = None,
) -> Filter:
    return Filter(text, cls, service, life_cycle, profile)


Wanted = Annotated[Filter, Depends(_wanted)]
After = Annotated[str, Query(max_length=200)]
FORM = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
MULTIPART = {"requestBody": {"content": {"multipart/form-data": {"schema": FORM}}, "required": True}}


@router.post("/registry/imports", status_code=202, openapi_extra=MULTIPART, response_model=Accepted)
async def upload(request: Request, actor: WritesRegistry, place: Place) -> Any:
    """Send a CSV or XLSX (form field `file`): it is checked row by row; nothing is changed yet."""
    # Read here and not by a parameter: nobody without the right shall fill our disk.
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size) > FILE_BYTES_MAX:
        raise BadInput("too_large", f"at most {FILE_BYTES_MAX // 1_000_000} MB, with Content-Length")
    async with request.form(max_files=1, max_fields=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise BadInput("not_a_table", "send the file as the form field `file`")
        body = await file.read()
        import_id = await jobs.submit(place.db, actor, file.filename or "", body=body)
    if "text/html" in request.headers.get("accept", ""):  # a form without a script: on to the page of the import
        return RedirectResponse(f"/registry/import/{import_id}", status_code=303)
    return Accepted(import_id=import_id)


@router.get("/registry/imports")
async def imports(actor: WritesRegistry, place: Place) -> list[Job]:
    """The newest imports."""
    return await jobs.newest(place.db, actor)


@router.get("/registry/imports/{import_id}")
async def one_import(import_id: UUID, actor: WritesRegistry, place: Place) -> Job:
    """How far an import is and what was found. state: checking, checked, refused, applying, applied, failed."""
    return await jobs.one(place.db, actor, import_id)


@router.post("/registry/imports/{import_id}/apply", status_code=202)
async def apply(import_id: UUID, actor: WritesRegistry, place: Place) -> Accepted:
    """Take in a file that was checked without faults: all of it or nothing."""
    await jobs.apply(place.db, actor, import_id)
    return Accepted(import_id=import_id)


@router.get("/registry/imports/{import_id}/report")
async def report(import_id: UUID, actor: WritesRegistry, place: Place) -> Response:
    """Every fault as CSV: line, column, reason, value, meaning."""
    faults = await jobs.report(place.db, actor, import_id)
    headers = {"Content-Disposition": f'attachment; filename="import-{import_id}.csv"'}
    lines = report_lines(faults, actor.language)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/registry")
async def listed(
    actor: ReadsRegistry,
    place: Place,
    *,
    wanted: Wanted,
    after: After = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
    as_of: Annotated[datetime | None, Query(description="as it stood at a moment of the city")] = None,
    known_at: Annotated[datetime | None, Query(description="by what was recorded until then")] = None,
) -> RegistryPage:
    """Objects with their devices, and devices that are on none; `after` is `next` of the page before.

    With `as_of` the list as it stood at any moment, as known now or at `known_at`.
    """
    if as_of or known_at:
        page: dict[str, Any] = {"after": after.replace("\0", ""), "limit": limit}
        return await registry_page_at(place.db, actor, wanted, as_of=as_of, known_at=known_at, **page)
    return await views.registry_page(place.db, actor, wanted, after=after.replace("\0", ""), limit=limit)


@router.get("/registry/export")
async def export(
    actor: ReadsRegistry,
    place: Place,
    *,
    kind: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
    cls: Annotated[str | None, Query(alias="class", max_length=63)] = None,
) -> Response:
    """All objects and devices that you may see, in the format that import takes."""
    given = {**scope(actor), "class": cls}
    if kind == "csv":
        headers = {"Content-Disposition": 'attachment; filename="registry.csv"'}
        pieces: AsyncIterator[bytes] = exporting.as_csv(place.db, given)
        return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citynet-export-")))
        await exporting.as_xlsx(place.db, given, folder / "registry.xlsx")
        keep = stack.pop_all()
    return FileResponse(folder / "registry.xlsx", filename="registry.xlsx", background=BackgroundTask(keep.close))


@router.get("/registry/labels")
async def labels(actor: ReadsRegistry, place: Place, *, wanted: Wanted, after: After = "") -> Response:
    """A printable sheet of labels with QR codes for the devices of the list, at most 500."""
    found = await views.registry_page(place.db, actor, wanted, after=after.replace("\0", ""), limit=PAGE_MAX)
    lines = sheet(found["rows"], base_url=base_url(place.settings), language=actor.language)
    return StreamingResponse(lines, media_type="text/html; charset=utf-8")
