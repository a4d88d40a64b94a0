"""Reads raw frames of the archive again, all or those of one device. Used by redecode.py and last_frames.py."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from citynet import archive, db
from citynet.frames import Frame
from gateway.wire import subject_token

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))
AFTER_ALL = 2**62


def _device(external_id: str) -> tuple[str, dict[str, Any]]:
    """The token of a device in subjects, and what finds its blocks; of no device: of all."""
    if not external_id:
        return "", {"first": None, "step": None}
    token = subject_token(external_id)
    first, step = archive.probe(token)
    return token, {"first": first, "step": step}


async def _frames(block: db.Row, token: str, *, since: datetime, before: datetime) -> list[Frame]:
    since_ns, before_ns = (round(moment.timestamp() * 1e6) * 1000 for moment in (since, before))
    frames = await asyncio.to_thread(archive.unpack, block["body"], block["raw_bytes"])
    return [
        frame
        for frame in frames
        if since_ns <= frame.arrival_ns < before_ns and (not token or archive.device_of(frame.subject) == token)
    ]


async def forward(
    database: db.Database, stream: str, *, since: datetime, before: datetime, external_id: str = ""
) -> AsyncIterator[list[Frame]]:
    """Frames that were stored in [since, before), a block at a time, the oldest first. Raises BadInput."""
    token, found = _device(external_id)
    given = {"stream": stream, "since": since, "before": before, "at": since, "block_id": 0, **found}
    while block := await database.row(SQL["next_block"], given):
        yield await _frames(block, token, since=since, before=before)
        given |= {"at": block["last_at"], "block_id": block["block_id"]}


async def backward(
    database: db.Database, stream: str, *, since: datetime, before: datetime, external_id: str
) -> AsyncIterator[list[Frame]]:
    """Those of one device, the newest block first, in each the oldest frame first. Raises BadInput."""
    token, found = _device(external_id)
    given = {"stream": stream, "since": since, "before": before, "block_id": AFTER_ALL, **found}
    given["at"] = datetime.max.replace(tzinfo=before.tzinfo)
    while block := await database.row(SQL["previous_block"], given):
        yield await _frames(block, token, since=since, before=before)
        given |= {"at": block["last_at"], "block_id": block["block_id"]}


async def newest(database: db.Database, stream: str) -> datetime | None:
    """Up to when a stream is archived; None when nothing is."""
    row = await database.row(SQL["newest_block"], {"stream": stream})
    return row["last_at"] if row else None
