"""Sends frames of the quarantine up again on request, each once, as if they came now but with their first arrival.

Part of `citynet run ingest`, which alone writes the quarantine: rows are marked in the transaction that publishes."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog

from citynet import db
from citynet.bus import INGEST_REQUESTS, Frame, held
from citynet.db import Connection, Row
from citynet.errors import Unavailable
from citynet.frames import ARRIVED, FIRST_SEQ, REPLAY_OF
from citynet.model import LiveChanged, ReplayRequest
from citynet.part import Part
from ingest.lane import ACTOR, AWAY, FETCH_WAIT_S, RETRY_S
from ingest.table import microseconds

log = structlog.get_logger()
SQL = db.named_sql(Path(__file__).with_name("queries.sql"))
REQUESTS = 20
FRAMES = 100  # in one transaction: payloads of 256 kB stay small in memory
# A frame that the gateway had in hand while the cause was mended may reach the quarantine shortly after the request.
SETTLE_S = 2.0


@dataclass
class ReplayLane:
    """Follows requests.replay. A repeated request finds nothing left to do."""

    part: Part

    async def run(self) -> None:
        """Work until the part stops. Raises Unavailable when the broker gives no requests."""
        puller = await self.part.bus.puller(INGEST_REQUESTS)
        while not self.part.stopping.is_set():
            frames = await puller.fetch(REQUESTS, FETCH_WAIT_S)
            if not frames:
                continue
            async with held(puller, frames):
                requests = [request for frame in frames if (request := self._read(frame))]
                for request in requests:
                    await self._serve(request, only_first=False)
                await asyncio.sleep(SETTLE_S)
                for request in requests:
                    later = msgspec.structs.replace(request, until=request.until + timedelta(seconds=10))
                    await self._serve(later, only_first=True)
            if self.part.stopping.is_set():
                return  # perhaps unfinished: it comes again, and what is marked is left alone
            await puller.ack(frames)

    def _read(self, frame: Frame) -> ReplayRequest | None:
        try:
            request = msgspec.json.decode(frame.data, type=ReplayRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a request to replay that nobody understands", error=str(error))
            self.part.counters["requests_refused"] += 1
            return None
        return request

    async def _serve(self, request: ReplayRequest, *, only_first: bool) -> None:
        """Send up all that the request names. While broker or database refuse, only this request waits."""
        given: dict[str, Any] = {**msgspec.structs.asdict(request), "only_first": only_first, "limit": FRAMES}
        after: int | None = 0
        while after is not None and not self.part.stopping.is_set():
            try:
                after = await self._some({**given, "after": after})
            except (*AWAY, Unavailable) as error:
                log.warning("replay waits", error=(str(error) or type(error).__name__).splitlines()[0])
                await asyncio.sleep(RETRY_S)

    async def _some(self, given: dict[str, Any]) -> int | None:
        """One transaction; the last row it looked at, None when there is none left."""
        async with self.part.db.transaction(ACTOR) as conn:
            rows = await (await conn.execute(SQL["choose_frames"], given)).fetchall()
            ids = await self._send(conn, rows, given["who"])
        self.part.counters["replayed"] += len(ids)
        if ids:
            await self.part.bus.push("live.quarantine", msgspec.json.encode(LiveChanged(ids)))
        return int(rows[-1]["quarantine_id"]) if rows else None

    async def _send(self, conn: Connection, rows: list[Row], who: str) -> list[str]:
        """Publish the frames of rows, then mark every row of them; the ids of the rows that were marked."""
        frames = {(row["stream"], row["stream_seq"]): row for row in reversed(rows)}
        went = [key for key, row in reversed(frames.items()) if await self._publish(row)]
        streams, seqs = [stream for stream, _ in went], [seq for _, seq in went]
        cursor = await conn.execute(SQL["mark_replayed"], {"streams": streams, "seqs": seqs, "who": who})
        return [str(row["quarantine_id"]) for row in await cursor.fetchall()]

    async def _publish(self, row: Row) -> bool:
        """False when the bytes were cut and the stream has forgotten the whole frame."""
        data: bytes | None = bytes(row["payload"])
        if row["reason"] == "too_large":
            data = await self.part.bus.stored(row["stream"], row["stream_seq"])
        if data is None:
            self.part.counters["replay_bytes_gone"] += 1
            return False
        headers = {
            ARRIVED: str(microseconds(row["arrived"]) * 1000),
            FIRST_SEQ: str(row["stream_seq"]),
            REPLAY_OF: str(row["quarantine_id"]),
        }
        # The id makes a second attempt within two minutes harmless; after that the readings are equal repeats.
        msg_id = f"replay-{row['quarantine_id']}"
        await self.part.bus.publish(self._subject(row), data, msg_id=msg_id, headers=headers)
        return True

    def _subject(self, row: Row) -> str:
        """The subject of its first way; the history way for what came longer ago than the city calls live."""
        age_s = (datetime.now(UTC) - row["arrived"]).total_seconds() * self.part.clock.speed
        first, _, rest = row["subject"].partition(".")
        return f"hist.{rest}" if age_s > self.part.settings.history_after_s else f"{first}.{rest}"
