"""Checkpoints and the outbox of events in schema analytics: one transaction for state, position and events."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from citynet.bus import Bus
from citynet.db import Database, named_sql
from citynet.model import Event

SQL = named_sql(Path(__file__).with_name("queries.sql"))
ACTOR = "part:analytics"
OUTBOX_BATCH = 500


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A partition at one moment. applied_seq is of UPLINKS (live lane), hist_seq of READINGS (history lane)."""

    partition: int
    applied_seq: int = 0
    hist_seq: int = 0
    state: bytes = b""
    chunks: dict[str, bytes] | None = None


class Store:
    """What analytics keeps in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self, partition: int) -> Checkpoint:
        """The last checkpoint of a partition with all its chunks; an empty one when there is none."""
        row = await self._db.row(SQL["checkpoint"], [partition])
        if row is None:
            return Checkpoint(partition)
        chunks = {chunk["name"]: chunk["body"] for chunk in await self._db.rows(SQL["chunks"], [partition])}
        return Checkpoint(partition, row["applied_seq"], row["hist_seq"], row["state"], chunks)

    async def save(self, checkpoint: Checkpoint, events: list[Event], *, afresh: bool) -> None:
        """Position, state and the events it caused, in one transaction. afresh = older chunks do not count."""
        k = checkpoint.partition
        async with self._db.transaction(ACTOR) as conn, conn.cursor() as cursor:
            if afresh:
                await cursor.execute(SQL["forget"], [k])
            await cursor.execute(
                SQL["save"],
                {
                    "partition": k,
                    "applied_seq": checkpoint.applied_seq,
                    "hist_seq": checkpoint.hist_seq,
                    "state": checkpoint.state,
                },
            )
            await cursor.executemany(SQL["save_chunk"], [(k, n, b) for n, b in (checkpoint.chunks or {}).items()])
            letters = [(f"events.{e.rule_id}", str(e.event_id), msgspec.json.encode(e)) for e in events]
            await cursor.executemany(SQL["post"], letters)

    async def publish(self, bus: Bus) -> int:
        """Publish what waits in the outbox, then delete it; gives how many. The stream drops what it has already."""
        rows = await self._db.rows(SQL["waiting"], [OUTBOX_BATCH])
        for row in rows:
            await bus.publish(row["subject"], row["payload"], msg_id=row["msg_id"])
        if rows:
            async with self._db.transaction(ACTOR) as conn:
                await conn.execute(SQL["sent"], [[row["outbox_id"] for row in rows]])
        return len(rows)
