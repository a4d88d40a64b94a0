"""`citynet replay --since`, also `citynet redecode`: asks the gateway to decode stored frames again and follows it."""

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from citynet import bus, db, settings
from citynet.bus import INGEST_EDITS, Incoming, NatsBus
from citynet.clock import moment
from citynet.errors import Unavailable
from citynet.model import RedecodeProgress, RedecodeRequest, Reply
from citynet.settings import Settings

ACTOR = "part:cli"
SILENCE_S = 30.0
START_S = 10.0
POLL_S = 0.2
Since = Annotated[str, typer.Option(help="Frames since: 90m, 2h, 3d, or a time such as 2026-03-01T10:00Z.")]
Device = Annotated[str, typer.Option("--device", help="Only this device.")]
Profile = Annotated[str, typer.Option("--profile", help="Only devices of this profile.")]
Why = Annotated[str, typer.Option(help="Written into every corrected reading.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def redecode(
    *, since: Since, device: Device = "", profile: Profile = "", why: Why = "", as_json: AsJson = False
) -> None:
    """Decode stored frames again, after a codec or profile was mended, and correct the readings that differ.

    Raw frames are kept for CITYNET_ARCHIVE_DAYS. The first reading stays beside its correction; again changes nothing.
    """
    number = str(uuid.uuid4())
    request = RedecodeRequest(
        request_id=number,
        who=ACTOR,
        why=why or f"decoded again ({number[:8]})",
        since=moment(since, datetime.now(UTC)),
        external_id=device,
        profile=profile,
    )
    found = asyncio.run(_follow(settings.load(), request))
    if as_json:
        typer.echo(json.dumps(found))
    else:
        words = "{frames} frames decoded again, {readings} readings compared, {edited} corrected, {refused} refused"
        typer.echo(words.format(**found))


async def _follow(city: Settings, request: RedecodeRequest) -> dict[str, int]:
    told: asyncio.Queue[RedecodeProgress] = asyncio.Queue()

    async def note(message: Incoming) -> None:
        progress = msgspec.json.decode(message.data, type=RedecodeProgress)
        if progress.request_id == request.request_id:
            told.put_nowait(progress)

    async with bus.connected(city, "center") as client:
        await client.subscribe("live.redecode", note)
        database = await db.Database(db.dsn(city, "center"), size=1).open()
        try:
            began = await _ask(client, database, request)
            last = await _end(told)
            await _stored(client)
            edited = await database.row("SELECT edits_made(%s::timestamptz, %s::text) AS n", [began, request.why])
        finally:
            await database.close()
    assert edited is not None
    return {"frames": last.frames, "readings": last.readings, "refused": last.refused, "edited": edited["n"]}


async def _ask(client: NatsBus, database: db.Database, request: RedecodeRequest) -> Any:
    """Write down who asked, and ask; the moment of it by the database's clock."""
    detail = {name: str(value) for name, value in msgspec.structs.asdict(request).items()}
    async with database.transaction(ACTOR, action="readings.redecode", object_=request.why, detail=detail) as conn:
        row = await (await conn.execute("SELECT now() AS now")).fetchone()
    answer = await _asked(client, msgspec.json.encode(request))
    if not answer.ok:
        raise Unavailable(f"the gateway refused: {answer.error}")
    assert row is not None
    return row["now"]


async def _asked(client: NatsBus, body: bytes) -> Reply:
    """The gateway's answer; one that is just starting is waited for. Raises Unavailable."""
    until = time.monotonic() + START_S
    while True:
        try:
            return msgspec.json.decode(await client.request("rpc.uplinks.redecode", body, timeout_s=5), type=Reply)
        except Unavailable:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_S)


async def _stored(client: NatsBus) -> None:
    """Until ingest has taken every correction. Raises Unavailable when it takes no more: they stay in the stream."""
    before, since = -1, time.monotonic()
    while waiting := await client.pending(INGEST_EDITS):
        if waiting != before:
            before, since = waiting, time.monotonic()
        elif time.monotonic() - since > SILENCE_S:
            raise Unavailable(f"ingest does not take the corrections, {waiting} wait: they are stored when it does")
        await asyncio.sleep(POLL_S)


async def _end(told: "asyncio.Queue[RedecodeProgress]") -> RedecodeProgress:
    """The last progress. Raises Unavailable when the gateway falls silent or fails: the same again is safe."""
    while True:
        try:
            progress = await asyncio.wait_for(told.get(), SILENCE_S)
        except TimeoutError as error:
            raise Unavailable("the gateway fell silent: ask again, what is corrected stays") from error
        if progress.error:
            raise Unavailable(f"{progress.error}; ask again, what is corrected stays")
        if progress.done:
            return progress
