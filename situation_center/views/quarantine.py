"""The bytes of one refused frame, for the pipeline page."""

from pathlib import Path

from citynet.access import Actor, require
from citynet.db import named_sql
from citynet.errors import NotFound
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_name("quarantine.sql"))
BYTES_MAX = 4096


async def quarantined_bytes(db: Center, actor: Actor, quarantine_id: int) -> bytes:
    """The first BYTES_MAX bytes as they came. Raises NotFound. Needs quarantine.read."""
    require(actor, "quarantine.read")
    row = await db.row(SQL["quarantined_bytes"], {"id": quarantine_id, "limit": BYTES_MAX})
    if row is None:
        raise NotFound(f"nothing in quarantine has the number {quarantine_id}")
    return bytes(row["payload"])
