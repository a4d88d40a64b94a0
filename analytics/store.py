"""Checkpoints and the outbox of events in schema analytics: one transaction for state, position and events."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from citynet.bus import Bus
from citynet.db import Database, named_sql
from citynet.errors import Unavailable
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
    epoch: int = 0  # counts the owners of the partition
    outages: list[int] = field(default_factory=list)  # its objects that are out of work


class Store:
    """What analytics keeps in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, partition: int) -> Checkpoint:
        """The last checkpoint of a partition with all its chunks, for its new owner: no other saves from now on."""
        async with self._db.transaction(ACTOR) as conn:
            row = await (await conn.execute(SQL["take"], [partition])).fetchone()
            assert row
            found = await (await conn.execute(SQL["chunks"], [partition])).fetchall()
        chunks = {chunk["name"]: chunk["body"] for chunk in found}
        return Checkpoint(partition, row["applied_seq"], row["hist_seq"], row["state"], chunks, row["epoch"])

    async def save(self, checkpoint: Checkpoint, events: list[Event], *, afresh: bool) -> None:
        """Position, state and the events it caused, in one transaction. afresh = older chunks do not count.

        Raises Unavailable when the partition has another owner by now.
        """
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
                    "epoch": checkpoint.epoch,
                    "outages": checkpoint.outages,
                },
            )
            if not cursor.rowcount:
                raise Unavailable(f"another worker has partition {k} now")
            await cursor.executemany(SQL["save_chunk"], [(k, n, b) for n, b in (checkpoint.chunks or {}).items()])
            letters = [(f"events.{e.rule_id}", str(e.event_id), msgspec.json.encode(e), k) for e in events]
            await cursor.executemany(SQL["post"], letters)

    async def publish(self, bus: Bus, partitions: list[int]) -> int:
        """Publish what waits in the outbox, then delete it; gives how many. The stream drops what it has already."""
        rows = await self._db.rows(SQL["waiting"], [partitions, OUTBOX_BATCH])
        for row in rows:
            await bus.publish(row["subject"], row["payload"], msg_id=row["msg_id"])
        if rows:
            async with self._db.transaction(ACTOR) as conn:
                await conn.execute(SQL["sent"], [[row["outbox_id"] for row in rows]])
        return len(rows)

    async def out_of_work(self, here: list[int]) -> list[int]:
        """Objects that are out of work by the checkpoints of partitions that are not here."""
        return [row["object_id"] for row in await self._db.rows(SQL["out_of_work"], [here])]
