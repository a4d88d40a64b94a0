"""Stores what became of commands, each receipt once."""

from pathlib import Path

from citynet import db
from citynet.db import Connection
from citynet.model import Receipt
from ingest.quarantine import DETAIL_CHARS, text

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))


async def store(conn: Connection, receipts: list[Receipt]) -> list[str | None]:
    """Insert new receipts; gives their command ids. The detail is part of the key and cut to what an index takes."""
    async with conn.pipeline():
        cursors = [await conn.execute(SQL["insert_receipt"], _columns(receipt)) for receipt in receipts]
        rows = [await cursor.fetchone() for cursor in cursors]
    return [str(row["command_id"]) for row in rows if row]


def _columns(receipt: Receipt) -> dict[str, object]:
    detail = text(receipt.detail, DETAIL_CHARS)
    return {"command_id": receipt.command_id, "kind": receipt.kind, "time": receipt.time, "detail": detail}
