"""Writes the registry as a file that import takes back without a change. Called by the API and the command line."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from citynet.classes import ObjectClass
from citynet.db import Database, Row, named_sql
from citynet.errors import BadInput
from situation_center import registry_write
from situation_center.reference import cells, writing
from situation_center.reference.columns import COLUMNS
from situation_center.reference.table import guard

SQL = named_sql(Path(__file__).with_name("exporting.sql"))
Format = Literal["csv", "xlsx"]
FETCH = 1_000
XLSX_CELL_MAX = 32_767
XLSX_ROWS_MAX = 1_048_575
EVERYTHING: dict[str, Any] = {"class": None, "services": [], "zones": []}


async def lines(db: Database, given: Mapping[str, Any]) -> AsyncIterator[list[list[str]]]:
    """Header and rows as text, in pieces. given: class, services, zones of whoever asks; see EVERYTHING."""
    async with db.pool.connection() as conn, conn.transaction():
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        kinds = await registry_write.classes(conn)
        found = await (await conn.execute(SQL["columns"], given)).fetchall()
        more = [f"{row['kind']}.{row['name']}" for row in found]
        yield [[*COLUMNS, *more]]
        async with conn.cursor(name="export") as cursor:
            await cursor.execute(SQL["rows"], given)
            while rows := await cursor.fetchmany(FETCH):
                yield [_line(row, more, kinds) for row in rows]


def _line(row: Row, more: list[str], kinds: Mapping[str, ObjectClass]) -> list[str]:
    alone = row["class"] == "device"
    device = (row["attributes"] if alone else row["device"]) or {}
    fixed = {
        **row,
        "lon": _degrees(row["lon"]),
        "lat": _degrees(row["lat"]),
        "geometry": writing.write_geometry(row["geometry"]),
        "tags": ", ".join(row["tags"]),
        "since": writing.write_moment(row["since"]),
        "external_id": device.get("external_id"),
        "profile": device.get("profile"),
        "protocol": device.get("protocol") if device.get("protocol") != row["usual_protocol"] else None,
    }
    written = [str(fixed[name] or "") for name in COLUMNS]
    for column in more:
        head, _, name = column.partition(".")
        own = device if head == "device" else {} if alone else row["attributes"]
        cls = kinds.get("device" if head == "device" else row["class"])
        written.append(writing.write_attribute(own.get(name), cls.find(name) if cls else None))
    return written


def _degrees(value: float | None) -> str:
    return "" if value is None else repr(value)


async def as_csv(db: Database, given: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """UTF-8 with a mark, semicolons: what a spreadsheet in Russia opens by a double click."""
    yield "\ufeff".encode()
    async for piece in lines(db, given):
        text = io.StringIO()
        writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
        writer.writerows([[guard(c) for c in line] for line in piece])
        yield text.getvalue().encode()


async def as_xlsx(db: Database, given: Mapping[str, Any], path: Path) -> None:
    """A workbook at path; every cell is text. An outline that no cell can hold is left as it is. Raises BadInput."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("registry")
    count = 0
    async for piece in lines(db, given):
        count += len(piece)
        if count > XLSX_ROWS_MAX:
            raise BadInput("too_many_rows", "a workbook has at most 1 048 576 rows: export CSV")
        for line in piece:
            sheet.append([_text_cell(sheet, c) for c in line])
        await asyncio.sleep(0)
    await asyncio.to_thread(book.save, path)


def _text_cell(sheet: Any, value: str) -> Any:
    if not value:
        return None
    cell = WriteOnlyCell(sheet, cells.KEEP if len(value) > XLSX_CELL_MAX else value)
    cell.data_type = "s"
    return cell
