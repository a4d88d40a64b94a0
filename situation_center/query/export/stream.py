"""An export on its way: rights and limits first, then an audit row, then piece after piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from dataclasses import asdict, dataclass
from typing import Protocol

import structlog

from citynet.access import Actor
from citynet.errors import BadInput
from situation_center.query.export.as_csv import Csv
from situation_center.query.export.as_parquet import Parquet
from situation_center.query.export.as_xlsx import Xlsx
from situation_center.query.export.pieces import Piece, pieces
from situation_center.query.export.plan import SLOTS, Format, Plan, Wish, plan
from situation_center.query.members import city_zone
from situation_center.store import Center

log = structlog.get_logger()
# An estimate from the roll-ups may fall short by what came since; more than this many times as much is an error.
OVER = 2


class Writer(Protocol):
    """A format: bytes for the beginning, for each piece, for the end."""

    media_type: str
    suffix: str

    def begin(self) -> bytes:
        """The first bytes."""

    def add(self, piece: Piece) -> bytes:
        """Bytes that are ready after a piece; some may be kept back."""

    def end(self) -> bytes:
        """The last bytes."""


@dataclass
class Export:
    """A file that is being made. rows, size: about how many rows and bytes there will be, 0 = not known."""

    writer: Writer
    rows: int
    size: int
    body: AsyncIterator[bytes]
    _held: ExitStack

    def close(self) -> None:
        """The file is there, or nobody wants it any more: others may export."""
        self._held.close()


def writer_of(db: Center, actor: Actor, wish: Wish, *, kind: Format, excel: bool) -> Writer:
    """The format as the actor wants it."""
    if kind == "csv":
        return Csv(wish.step, language=actor.language, zone=city_zone(db), excel=excel)
    if kind == "xlsx":
        return Xlsx(wish.step, language=actor.language, zone=city_zone(db))
    return Parquet(wish.step, language=actor.language)


async def export(db: Center, actor: Actor, wish: Wish, *, kind: Format, excel: bool = False) -> Export:
    """Begin an export; close() it at the end. Raises Forbidden, BadInput, Unavailable before anything is written."""
    planned = await plan(db, actor, wish)
    with ExitStack() as stack:
        stack.enter_context(SLOTS.taken(actor, db.settings.exports_at_once))
        told = {**asdict(wish), "since": wish.since.isoformat(), "until": wish.until.isoformat()}
        told |= {"format": kind, "rows": planned.rows, "series": wish.series[:100]}
        async with db.transaction(actor.name, action="readings.export", detail=told):
            pass
        writer = writer_of(db, actor, wish, kind=kind, excel=excel)
        found = pieces(db, actor, planned)
        first = await anext(found, None)
        head = await asyncio.to_thread(_head, writer, first)
        size = round(len(head) / len(first) * max(planned.rows, len(first))) if first else len(head)
        body = _body(db, planned, writer, head=head, done=len(first or ()), rest=found)
        return Export(writer, planned.rows, size, body, stack.pop_all())


def _head(writer: Writer, first: Piece | None) -> bytes:
    return writer.begin() + (writer.add(first) if first else b"")


async def _body(
    db: Center, planned: Plan, writer: Writer, *, head: bytes, done: int, rest: AsyncIterator[Piece]
) -> AsyncIterator[bytes]:
    """Piece after piece, each written beside the loop, so that screens stay alive."""
    yield head
    most = OVER * db.settings.export_rows
    async with aclosing(rest):  # type: ignore[type-var]
        async for piece in rest:
            done += len(piece)
            if done > most:
                raise BadInput("too_many_rows", f"more than {most} rows came")
            data = await asyncio.to_thread(writer.add, piece)
            if data:
                yield data
    yield await asyncio.to_thread(writer.end)
    log.info("exported", rows=done, about=planned.rows)
