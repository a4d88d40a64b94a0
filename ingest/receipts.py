"""Stores what became of commands, each receipt once."""

from pathlib import Path
from uuid import UUID

from citynet import db
from citynet.db import Connection
from citynet.model import Receipt
from ingest.quarantine import DETAIL_CHARS, text

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))


# Receipts that prove that a command has left: with one of them an effect that was read already may count.
LEFT = frozenset({"sent", "queued", "radiated", "acknowledged"})


async def store(conn: Connection, receipts: list[Receipt]) -> list[str | None]:
    """Insert new receipts; gives their command ids. The detail is part of the key and cut to what an index takes."""
    async with conn.pipeline():
        cursors = [await conn.execute(SQL["insert_receipt"], _columns(receipt)) for receipt in receipts]
        rows = [await cursor.fetchone() for cursor in cursors]
    fresh = {row["command_id"] for row in rows if row}
    await confirm(conn, sorted({one.command_id for one in receipts if one.kind in LEFT} & fresh))
    return [str(row["command_id"]) for row in rows if row]


async def confirm(conn: Connection, ids: list[UUID]) -> list[str]:
    """Insert read-back receipts of those of these commands that left and whose effect was read; gives their ids."""
    if not ids:
        return []
    await conn.execute(SQL["lock_table"])
    await conn.execute(SQL["lock_commands"], {"ids": ids})
    cursor = await conn.execute(SQL["confirm_commands"], {"ids": ids})
    return [str(row["command_id"]) for row in await cursor.fetchall()]


def _columns(receipt: Receipt) -> dict[str, object]:
    detail = text(receipt.detail, DETAIL_CHARS)
    return {"command_id": receipt.command_id, "kind": receipt.kind, "time": receipt.time, "detail": detail}
