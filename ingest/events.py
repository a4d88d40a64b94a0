"""Stores events and folds them into conditions in the same transaction: one open condition a (rule, object, signal)."""

import hashlib
from pathlib import Path

import msgspec

from citynet import db
from citynet.db import Connection
from citynet.model import Event

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))


def lock_key(event: Event) -> int:
    """Advisory lock of the condition that an event belongs to."""
    name = f"{event.rule_id}|{event.object_id}|{event.signal}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


async def store(conn: Connection, events: list[Event]) -> list[str | None]:
    """Insert new events and fold each; gives the condition changed by each new event, None for a stale close.

    The locks make a close and an open of one condition that arrive by two workers happen one after the other.
    """
    # The keys are sorted, so that two batches never wait for each other in a circle.
    await conn.execute(SQL["lock_conditions"], {"keys": sorted({lock_key(event) for event in events})})
    async with conn.pipeline():
        cursors = [await conn.execute(SQL[_query(event)], msgspec.structs.asdict(event)) for event in events]
        rows = [await cursor.fetchone() for cursor in cursors]
    return [None if row["condition_id"] is None else str(row["condition_id"]) for row in rows if row]


def _query(event: Event) -> str:
    return "fold_close" if event.edge == "close" else "fold_trigger"
