"""Which answers of devices may become receipts: only those about a command that this very device was given."""

from pathlib import Path

from citynet.bus import Frame
from citynet.db import Database, named_sql
from gateway.decoding import Draft
from gateway.quarantine import notice
from gateway.wire import Answer

SQL = named_sql(Path(__file__).with_name("queries.sql"))


async def believed(db: Database, draft: Draft, stream: str) -> list[tuple[Frame, int, Answer]]:
    """Answers that are right; the others get a notice in the draft, a network server's own downlinks a count."""
    ids = [answer.command_id for _, _, answer in draft.answers]
    rows = await db.rows(SQL["owners"], [ids])
    owner = {row["command_id"]: row["device_id"] for row in rows}
    right = []
    for frame, device_id, answer in draft.answers:
        given_to = owner.get(answer.command_id)
        if given_to == device_id:
            right.append((frame, device_id, answer))
        elif given_to is None and frame.subject.split(".")[3] != "native":
            draft.counters["foreign_answers"] += 1  # somebody else uses the same network server
        else:
            reason = "unknown_command" if given_to is None else "foreign_command"
            identifier = frame.subject.split(".")[2]
            detail = str(answer.command_id)
            draft.notices.append(notice(frame, reason, detail=detail, stream=stream, external_id=identifier))
    return right
