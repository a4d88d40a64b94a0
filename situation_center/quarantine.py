"""Asks for frames of the quarantine to be decoded again; ingest does it. Called by screens, api, cli, registry."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from citynet.access import Actor, require
from citynet.db import Connection, Database
from citynet.errors import BadInput
from citynet.model import ReplayRequest
from situation_center.store import SQL, add_outbox

IDS_MAX = 1_000


async def request_replay(
    conn: Connection,
    *,
    by: str,
    external_id: str = "",
    reason: str = "",
    ids: Sequence[int] = (),
    since: datetime | None = None,
) -> int:
    """Ask, with the commit of the caller's transaction, that frames of the quarantine go up again.

    by is the actor ("person:<login>"). external_id, reason, ids (rows) and since (when it was set aside) narrow the
    choice together; at least one is needed, or BadInput is raised. Gives how many frames are waiting for it now; a
    frame of a device that is still on its way into the quarantine is found too. Each row is sent up once: asking
    again is harmless. A frame keeps its first arrival, so that a reading without a time of its own gets its true
    time, and takes the history way when that is longer ago than CITYNET_HISTORY_AFTER_S.
    Adoption of an unknown device: write the registry, then `request_replay(conn, by=.., external_id=..)` in the same
    transaction. Needs role center; the caller checks the right.
    """
    if len(ids) > IDS_MAX:
        raise BadInput("too_many_rows", f"{len(ids)}, at most {IDS_MAX} at once")
    if not (external_id or reason or ids or since):
        raise BadInput("nothing_chosen", "name rows, a device, a reason or a moment")
    chosen = {"external_id": external_id, "reason": reason, "ids": list(ids), "since": since}
    row = await (await conn.execute(SQL["replayable"], chosen)).fetchone()
    assert row is not None
    request = ReplayRequest(
        who=by, until=row["now"], ids=list(ids), external_id=external_id, reason=reason, since=since
    )
    await add_outbox(conn, "requests.replay", payload=msgspec.json.encode(request))
    return int(row["frames"])


async def replay(
    db: Database,
    *,
    by: str,
    external_id: str = "",
    reason: str = "",
    ids: Sequence[int] = (),
    since: datetime | None = None,
) -> int:
    """request_replay in an audited transaction of its own; the number of frames that will go up."""
    detail = {"external_id": external_id, "reason": reason, "ids": list(ids)[:20], "since": since and since.isoformat()}
    async with db.transaction(by, action="quarantine.replay", object_=external_id, detail=detail) as conn:
        return await request_replay(conn, by=by, external_id=external_id, reason=reason, ids=ids, since=since)


async def replay_by_person(db: Database, actor: Actor, *, external_id: str = "", ids: Sequence[int] = ()) -> int:
    """replay for a person. Raises Forbidden without quarantine.replay, BadInput when nothing is chosen."""
    require(actor, "quarantine.replay")
    return await replay(db, by=actor.name, external_id=external_id, ids=ids)
