"""Raw frames to the database in compressed blocks, so that they can be decoded again for weeks (decision 0041).

A reader of its own beside the gateway: it costs the way of a reading nothing. One process at a time does it."""

import asyncio
from dataclasses import dataclass

import structlog

from citynet import archive
from citynet.bus import INGEST_ARCHIVE, Frame
from citynet.db import Connection
from citynet.part import Part, together
from ingest import archive_short
from ingest.lane import AWAY, Lane, Outcome
from ingest.table import SQL, microseconds, moment

log = structlog.get_logger()
BLOCK_FRAMES = 2_000
BLOCK_BYTES = 4_000_000
GATHER_S = 10.0  # a block of a quiet city holds so much of its time
LOOK_S = 1.0
TRIM_S = 60.0


class BlockWriter:
    """Stores frames of one stream as blocks; see lane.Write."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store what is not archived yet: an acknowledgement may have been lost."""
        last = await (await conn.execute(SQL["newest_block"], {"stream": self.stream})).fetchone()
        if last:
            seq, until_us = last["last_seq"], microseconds(last["last_at"])
            # A broker that lost its data counts from 1 again, later.
            frames = [one for one in frames if one.seq > seq or one.arrival_ns // 1000 > until_us]
        outcome = Outcome()
        for piece in archive.pieces(frames, BLOCK_BYTES):
            body, raw_bytes = await asyncio.to_thread(archive.pack, piece)
            await conn.execute(SQL["insert_block"], self._row(piece, body, raw_bytes))
            outcome.counters.update(frames_archived=len(piece))
        return outcome

    def _row(self, frames: list[Frame], body: bytes, raw_bytes: int) -> dict[str, object]:
        devices = archive.devices(frames)
        came = [frame.arrival_ns // 1000 for frame in frames]
        return {
            "stream": self.stream,
            "first_at": moment(min(came)),
            "last_at": moment(max(came)),
            "last_seq": max(frame.seq for frame in frames),
            "frames": len(frames),
            "raw_bytes": raw_bytes,
            "body": body,
            "devices": devices,
            "stored": len(body) + len(devices),
        }


@dataclass
class Archive:
    """The archive of the city, kept by whichever process of ingest has its lock."""

    part: Part

    async def run(self) -> None:
        """Work until the part stops. Raises Unavailable when the broker is away: the frames stay in its streams."""
        while self.part.settings.archive_days and not self.part.stopping.is_set():
            try:
                async with self.part.db.own_connection() as lock:
                    if await self._mine(lock):
                        await together([*(lane.run() for lane in self._lanes()), self._keep(lock)])
            except AWAY as error:
                log.warning("the archive waits", error=(str(error) or type(error).__name__).splitlines()[0])
                await self.part.pause(LOOK_S)

    def _lanes(self) -> list[Lane]:
        return [
            Lane(self.part, consumer, BlockWriter(consumer.stream), BLOCK_FRAMES, gather_s=GATHER_S)
            for consumer in INGEST_ARCHIVE
        ]

    async def _mine(self, lock: Connection) -> bool:
        """Wait until no other process archives; False when the part stops first."""
        while not self.part.stopping.is_set():
            row = await (await lock.execute(SQL["lock_archive"])).fetchone()
            if row and row["mine"]:
                return True
            await self.part.pause(LOOK_S)
        return False

    async def _keep(self, lock: Connection) -> None:
        """Hold the lock, and the archive to its size. Raises when the connection, and with it the lock, is gone."""
        looks = 0
        while not self.part.stopping.is_set():
            if looks % round(TRIM_S / LOOK_S) == 0:
                await self._trim(lock)
            else:
                await lock.execute("SELECT 1")
            looks += 1
            await self.part.pause(LOOK_S)

    async def _trim(self, lock: Connection) -> None:
        limits = {"days": self.part.settings.archive_days, "bytes": self.part.settings.archive_max_bytes}
        old = (await lock.execute(SQL["trim_old"], limits)).rowcount
        large = (await lock.execute(SQL["trim_large"], limits)).rowcount
        self.part.counters["archive_blocks_dropped"] += old + large
        row = await (await lock.execute(SQL["size_blocks"])).fetchone()
        if row and row["frames"]:
            size, back_days = row["bytes"], row["back_s"] / 86_400
            self.part.gauges |= {"archive_bytes": size, "archive_days": back_days}
            await archive_short.tell(self.part, dropped=large, size_bytes=size, back_days=back_days)
