"""Keeps the list of the registry beside the truth: a list of 100,000 devices answers at once. For its writers."""

from collections.abc import Iterable
from pathlib import Path

from citynet.db import Connection, named_sql

SQL = named_sql(Path(__file__).with_name("registry_lines.sql"))


async def show(conn: Connection, ids: Iterable[int]) -> None:
    """Bring the lines of these objects and devices to what is true now; called after every change of them."""
    rows = await (await conn.execute(SQL["touched"], {"ids": sorted(set(ids))})).fetchall()
    given = {"ids": [row["object_id"] for row in rows]}
    if rows:
        await conn.execute(SQL["forget"], given)
        await conn.execute(SQL["add"], given)
