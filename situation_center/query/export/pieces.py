"""Reads an export piece by piece: packed columns from the database, no cursor kept open while a slow client reads.

Each piece begins where the one before ended, so a client that reads for an hour holds nothing in the database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from citynet.access import Actor
from citynet.db import Row
from situation_center.query.export.plan import Plan
from situation_center.query.members import SQL, members
from situation_center.store import Center

PIECE = 20_000
PAGE = 500
# PostgreSQL counts from 2000.
ERA_US, ERA_DAYS = 946_684_800_000_000, 10_957
FIGURES = ("low", "high", "mean", "first", "last", "used")
WIDTHS = {"series": ">i4", "value": ">f8", "quality": ">i2", "readings": ">i4", "good": ">i4", "marks": ">i2"}
Column = NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """Some rows: series as positions in members, time in us since 1970 (or days), figures by name, NaN = not known."""

    members: list[Row]
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.columns["time"])

    def part(self, first: int, count: int) -> "Piece":
        """Some of its rows."""
        return Piece(self.members, {name: column[first : first + count] for name, column in self.columns.items()})


async def pieces(db: Center, actor: Actor, plan: Plan) -> AsyncIterator[Piece]:
    """All rows of a plan in order of series and time."""
    after = -1
    given = plan.given
    chosen = {"place": given["place"], "ids": given["ids"], "quantities": given["quantities"]}
    while page := await members(db, actor, after=after, limit=PAGE, **chosen):
        after = page[-1]["series_id"]
        async for piece in _of_page(db, plan, page):
            yield piece


async def _of_page(db: Center, plan: Plan, page: list[Row]) -> AsyncIterator[Piece]:
    numbers = [int(row["series_id"]) for row in page]
    if plan.wish.step == "month":
        # All days of a series at once, or its month would be cut apart.
        some = max(1, PIECE // max((plan.given["until"] - plan.given["since"]).days, 1))
        for first in range(0, len(numbers), some):
            piece = await _read(
                db, plan, page, given={"ids": numbers[first : first + some], "begins": plan.wish.begins}
            )
            if piece:
                yield piece
        return
    ids, after = numbers, None
    while ids:
        piece = await _read(db, plan, page, given={"ids": ids, "after": after, "most": PIECE})
        if piece is None:
            return
        yield piece
        at = int(piece.columns["series"][-1])
        ids = numbers[at:] if len(piece) == PIECE else []
        after = plan.moment(int(piece.columns["time"][-1]))


async def _read(db: Center, plan: Plan, page: list[Row], *, given: dict[str, Any]) -> Piece | None:
    async with db.reader() as conn:
        cursor = await conn.execute(SQL[f"piece_{plan.wish.step}"], plan.given | given, binary=True)
        row = await cursor.fetchone()
    if not row or not row["n"]:
        return None
    columns = {name: unpacked(name, packed, days=plan.days) for name, packed in row.items() if name != "n"}
    columns["series"] = np.searchsorted([member["series_id"] for member in page], columns["series"])
    return Piece(page, columns)


def unpacked(name: str, packed: bytes, *, days: bool) -> Column:
    """A column as the database sent it."""
    if name == "time":
        return np.frombuffer(packed, ">i4" if days else ">i8").astype(np.int64) + (ERA_DAYS if days else ERA_US)
    width = WIDTHS.get(name, ">f8")
    return np.frombuffer(packed, width).astype(width.replace(">", "="))
