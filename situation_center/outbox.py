"""Sends what transactions left in the outbox: messages to the bus in order, notices to the reactions."""

import asyncio

import msgspec

from situation_center.incident_rows import NOTICE, Notice
from situation_center.reactions import Reaction
from situation_center.store import SQL, Center

ACTOR = "part:worker"
BATCH = 200


async def publish(center: Center) -> int:
    """Publish up to BATCH messages; gone from the table only when the broker has stored them. Raises Unavailable."""
    async with center.transaction(ACTOR) as conn:
        rows = await (await conn.execute(SQL["take_outbox"], {"notice": NOTICE, "batch": BATCH})).fetchall()
    if not rows:
        return 0
    rows.sort(key=lambda row: int(row["outbox_id"]))
    # Tasks start in order, so one connection keeps the order of the messages of a subject.
    await asyncio.gather(
        *(center.bus.publish(row["subject"], bytes(row["payload"]), msg_id=row["msg_id"]) for row in rows)
    )
    async with center.transaction(ACTOR) as conn:
        await conn.execute(SQL["drop_outbox"], [[row["outbox_id"] for row in rows]])
    return len(rows)


async def take_notices(center: Center, reactions: list[Reaction]) -> int:
    """Give each notice to all reactions, which store what they owe in the same transaction."""
    async with center.transaction(ACTOR) as conn:
        rows = await (await conn.execute(SQL["take_notices"], {"notice": NOTICE, "batch": BATCH})).fetchall()
        for row in sorted(rows, key=lambda row: int(row["outbox_id"])):
            notice = msgspec.json.decode(bytes(row["payload"]), type=Notice)
            for reaction in reactions:
                await reaction.enqueue(conn, notice)
    return len(rows)
