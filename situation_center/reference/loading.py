"""The first pass of an import: rows of the file into a temporary table, their own faults into the report."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from citynet.catalog import Profile
from citynet.db import Connection
from citynet.errors import BadInput
from situation_center import registry_write, zones
from situation_center.reference.cells import RADIO
from situation_center.reference.columns import Reject, header
from situation_center.reference.outcome import SQL, Outcome, Work, reject
from situation_center.reference.rows import Reader, Words
from situation_center.reference.rows import Row as FileRow
from situation_center.reference.table import Cells, Table, open_table
from situation_center.registry_plan import Change
from situation_center.registry_versions import Moment

CHUNK = 2_000


async def load(conn: Connection, work: Work, path: Path, *, outcome: Outcome, moment: Moment) -> bool:
    """Rows of the file into a temporary table, their own faults into the report; False where the header is wrong."""
    await conn.execute(SQL["rows"])
    try:
        table = await asyncio.to_thread(open_table, path)
        outcome.kind, outcome.encoding, outcome.separator = table.kind, table.encoding, table.separator
        names, faults = header(table.columns)
        await reject(conn, work, faults)
        if not faults:
            await _rows(conn, work, table, reader=Reader(names, await _words(conn, work, moment)), outcome=outcome)
    except BadInput as error:
        faults = [Reject(1, "", error.reason, error.detail[:200])]
        await reject(conn, work, faults)
    return not faults


async def _words(conn: Connection, work: Work, moment: Moment) -> Words:
    rows = await (await conn.execute(registry_write.SQL["profiles"])).fetchall()
    profiles = {row["name"]: Profile.model_validate(row["body"]) for row in rows}
    kinds = await registry_write.classes(conn)
    return Words(work.catalog, profiles, kinds, work.zone, moment.city)


def _chunks(table: Table, reader: Reader) -> Iterator[list[FileRow]]:
    rows: Iterator[tuple[int, Cells]] = table.rows()
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield [reader.read(line, cells) for line, cells in chunk]


async def _rows(conn: Connection, work: Work, table: Table, *, reader: Reader, outcome: Outcome) -> None:
    chunks = _chunks(table, reader)
    while chunk := await asyncio.to_thread(next, chunks, None):
        outcome.rows += len(chunk)
        await reject(conn, work, [fault for row in chunk for fault in row.faults])
        async with conn.cursor() as cursor, cursor.copy(SQL["copy_rows"]) as copy:
            for row in chunk:
                if row.change and row.change.key:
                    await copy.write_row(_record(row.line, row.change))
        await work.tell(outcome.rows)
    if not outcome.rows:
        raise BadInput("no_rows", "the file has a header only")
    for name in ("index_rows", "index_order", "analyze_rows"):
        await conn.execute(SQL[name])


def _record(line: int, change: Change) -> tuple[Any, ...]:
    device = change.device
    named = bool(change.given.name_ru or change.given.name_en)
    known = change.given.attributes if change.cls == "device" else vars(device) if device else {}
    eui, profile, protocol = (known.get(name) or "" for name in ("external_id", "profile", "protocol"))
    radio = (protocol or change.usual_protocol) in RADIO and not _speaks_for_others(change)
    area = change.cls in zones.CLASSES
    body = msgspec.msgpack.encode(change)
    return (line, change.key, change.cls, eui, profile, radio, named, area, change.org, change.parent, body)


def _speaks_for_others(change: Change) -> bool:
    """Whether it is no device of its own but the sender for an application: it has a name and no EUI."""
    device = change.device.attributes if change.device else change.given.attributes
    return bool(device.get("speaks_for"))
