"""Which answers of devices may become receipts: only those about a command that this very device was given."""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from citynet.bus import Frame
from citynet.db import Database, named_sql
from gateway.decoding import Draft
from gateway.quarantine import notice
from gateway.wire import Answer

# Receipts `queued` say under which id a network server has queued a command.
QUEUE_ITEM = "queue item "
SQL = named_sql(Path(__file__).with_name("queries.sql"))


async def believed(
    db: Database, draft: Draft, stream: str, *, items: Mapping[UUID, UUID]
) -> list[tuple[Frame, int, Answer]]:
    """Answers that are right; the others get a notice in the draft, a network server's own downlinks a count.

    items: ids of a network server's queue that stand for commands of ours, as far as this process knows them.
    """
    answers = await _renamed(db, draft.answers, items)
    rows = await db.rows(SQL["owners"], [[answer.command_id for _, _, answer in answers]])
    owner = {row["command_id"]: row["device_id"] for row in rows}
    right = []
    for frame, device_id, answer in answers:
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


async def _renamed(
    db: Database, answers: list[tuple[Frame, int, Answer]], items: Mapping[UUID, UUID]
) -> list[tuple[Frame, int, Answer]]:
    """Answers about an item of ChirpStack's queue name our command instead; decision 0028."""
    named = {answer.command_id for frame, _, answer in answers if frame.subject.split(".")[3] == "chirpstack"}
    unknown = [one for one in named if one not in items]
    rows = await db.rows(SQL["queued"], [[f"{QUEUE_ITEM}{one}" for one in unknown]]) if unknown else []
    stored = {UUID(row["detail"].removeprefix(QUEUE_ITEM)): row["command_id"] for row in rows}
    known = {**stored, **{one: items[one] for one in named if one in items}}
    return [(f, d, a._replace(command_id=known.get(a.command_id, a.command_id))) for f, d, a in answers]
