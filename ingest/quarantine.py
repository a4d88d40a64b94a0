"""What could not be used is kept with its bytes and the reason, and shown: lane of DEAD, and the other lanes' refusals.

Payloads are kept whole up to the largest a device may send (CITYNET_PAYLOAD_BYTES); more is cut and the detail says so.
"""

from pathlib import Path

import msgspec

from citynet import db
from citynet.bus import Frame
from citynet.db import Connection
from citynet.model import LiveChanged, Quarantined
from ingest.lane import Outcome
from ingest.table import moment

SQL = db.named_sql(Path(__file__).with_name("queries.sql"))
DETAIL_CHARS = 400  # reason and detail are part of a unique index, whose entries end at 2.7 kB
WORD_CHARS = 100


def of_frame(frame: Frame, *, stream: str, reason: str, detail: str) -> Quarantined:
    """Notice of a whole message that ingest cannot use."""
    return Quarantined(
        stage="ingest",
        reason=reason,
        detail=detail,
        subject=frame.subject,
        stream=stream,
        stream_seq=frame.seq,
        payload=frame.data,
    )


def text(value: str, chars: int) -> str:
    """value as PostgreSQL takes it: no NUL, not longer than chars."""
    return value.replace("\0", "\N{SYMBOL FOR NULL}")[:chars]


def _columns(notice: Quarantined, payload_bytes: int) -> dict[str, object]:
    size = len(notice.payload)
    cut = f"first {payload_bytes} of {size} bytes; " if size > payload_bytes else ""
    return {
        "stage": text(notice.stage, WORD_CHARS),
        "reason": text(notice.reason, WORD_CHARS),
        "detail": text(cut + notice.detail, DETAIL_CHARS),
        "subject": text(notice.subject, DETAIL_CHARS),
        "external_id": text(notice.external_id, WORD_CHARS),
        "stream": text(notice.stream, WORD_CHARS),
        "stream_seq": notice.stream_seq,
        "payload": notice.payload[:payload_bytes],
        "arrived": moment(notice.arrived_ns // 1000) if notice.arrived_ns else None,
        "replay_of": notice.replay_of or None,
    }


async def add(conn: Connection, notices: list[Quarantined], *, payload_bytes: int) -> Outcome:
    """Insert notices; a notice that is there already changes nothing and is not counted again."""
    if not notices:
        return Outcome()
    async with conn.pipeline():
        cursors = [await conn.execute(SQL["insert_quarantine"], _columns(n, payload_bytes)) for n in notices]
        found = [await cursor.fetchone() for cursor in cursors]
    ids = [str(row["quarantine_id"]) for row in found if row]
    outcome = Outcome()
    outcome.counters["quarantined"] = len(ids)
    if ids:
        outcome.pushes.append(("live.quarantine", msgspec.json.encode(LiveChanged(ids))))
    return outcome


class QuarantineWriter:
    """Stores the notices of other parts; see lane.Write."""

    def __init__(self, payload_bytes: int) -> None:
        self.payload_bytes = payload_bytes

    async def __call__(self, conn: Connection, frames: list[Frame]) -> Outcome:
        """Store all notices of frames."""
        return await add(conn, [_notice(frame) for frame in frames], payload_bytes=self.payload_bytes)


def _notice(frame: Frame) -> Quarantined:
    try:
        return msgspec.json.decode(frame.data, type=Quarantined)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return of_frame(frame, stream="DEAD", reason="bad_notice", detail=str(error))
