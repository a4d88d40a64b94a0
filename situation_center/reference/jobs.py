"""Files on their way into the registry: kept with their bytes, checked and applied by a process of their own.

Called by the API and the screen. A job whose process died shows as failed and can be started again.
"""

import asyncio
import contextlib
import multiprocessing
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from psycopg.types.json import Jsonb

from citynet.access import Actor, require
from citynet.catalog import catalog
from citynet.db import Database, Row, dsn
from citynet.errors import BadInput, Conflict, NotFound
from citynet.settings import Settings
from situation_center.reference.columns import Reject
from situation_center.reference.importing import REPORT_MAX, finish, run
from situation_center.reference.outcome import SQL, Outcome, Work
from situation_center.reference.table import FILE_BYTES_MAX
from situation_center.store import Center

log = structlog.get_logger()
SHOWN = 20
NICE = 10
# Not a fork: the loops and connections of this process are no concern of the other one.
SPAWN = multiprocessing.get_context("spawn")
STARTS = {"checking": ["checking", "checked", "refused", "failed"], "applying": ["checked"]}
_running: dict[UUID, asyncio.Task[None]] = {}


@dataclass(frozen=True)
class Job:
    """One file: state checking, checked, refused, applying, applied or failed; progress in rows."""

    import_id: UUID
    at: datetime
    actor: str
    file_name: str
    state: str
    progress: int
    summary: dict[str, Any]


def _job(row: Row) -> Job:
    state = row["state"]
    # The command line works in a process of its own.
    lost = state in STARTS and row["import_id"] not in _running and row["actor"].startswith("person:")
    return Job(
        row["import_id"], row["at"], row["actor"], row["file_name"], "failed" if lost else state, row["progress"],
        row["summary"],
    )  # fmt: skip


async def submit(db: Center, actor: Actor, file_name: str, *, body: bytes) -> UUID:
    """Keep a file and begin to check it. Raises BadInput. Needs registry.write."""
    require(actor, "registry.write")
    if not body or len(body) > FILE_BYTES_MAX:
        raise BadInput("too_large" if body else "not_a_table", f"{len(body)} bytes")
    name = "".join(c for c in file_name if c.isprintable())[:200] or "file"
    given = {"actor": actor.name, "file_name": name, "body": body}
    async with db.transaction(actor.name, action="registry.upload", object_=name, detail={"bytes": len(body)}) as conn:
        await conn.execute(SQL["tidy"])
        row = await (await conn.execute(SQL["add_job"], given)).fetchone()
    assert row is not None
    import_id: UUID = row["import_id"]
    _begin(db, actor, import_id, apply=False)
    return import_id


async def apply(db: Center, actor: Actor, import_id: UUID) -> None:
    """Begin to take in a file that was checked without faults. Raises Conflict. Needs registry.write."""
    require(actor, "registry.write")
    async with db.transaction(actor.name) as conn:
        given = {"id": import_id, "to": "applying", "from": STARTS["applying"]}
        if not await (await conn.execute(SQL["start"], given)).fetchone():
            raise Conflict("only a file that was checked without faults is applied, once")
    _begin(db, actor, import_id, apply=True)


def _begin(db: Center, actor: Actor, import_id: UUID, *, apply: bool) -> None:
    task = asyncio.create_task(_work(db, actor, import_id, apply=apply))
    _running[import_id] = task
    task.add_done_callback(lambda done: _ended(import_id, done))


def _ended(import_id: UUID, task: asyncio.Task[None]) -> None:
    # A file is checked before the process of its check has ended: it may be applied by now.
    if _running.get(import_id) is task:
        del _running[import_id]


async def _work(db: Center, actor: Actor, import_id: UUID, *, apply: bool) -> None:
    """Wait for the process that does it: 200,000 rows are a minute of Python, and others want their pages meanwhile."""
    process = SPAWN.Process(
        target=alone, args=(db.settings, actor.name, import_id), kwargs={"apply": apply}, daemon=True
    )
    process.start()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
    with contextlib.suppress(psycopg.Error):
        if process.exitcode:
            await _failed(db, actor.name, import_id, why=f"the process ended with {process.exitcode}: try again")
        await db.announce("registry", str(import_id))
    process.close()


def alone(settings: Settings, actor: str, import_id: UUID, *, apply: bool) -> None:
    """What the process of an import does, after everybody else's work."""
    os.nice(NICE)
    asyncio.run(_pass(settings, actor, import_id, apply=apply))


async def _pass(settings: Settings, actor: str, import_id: UUID, *, apply: bool) -> None:
    db = await Database(dsn(settings, "center"), size=2).open()

    async def tell(done: int) -> None:
        async with db.transaction(actor) as conn:
            await conn.execute(SQL["progress"], {"id": import_id, "done": done})

    work = Work(import_id, catalog(), ZoneInfo(settings.timezone), actor, tell)
    try:
        async with stored(db, import_id) as path:
            outcome = await run(db, work, path, apply=apply)
        await finish(db, work, outcome)
    except (BadInput, psycopg.Error, OSError) as error:
        log.warning("import failed", import_id=str(import_id), error=str(error).splitlines()[0])
        with contextlib.suppress(psycopg.Error):
            await _failed(db, actor, import_id, why=str(error).splitlines()[0][:300])
    finally:
        await db.close()


async def _failed(db: Database, actor: str, import_id: UUID, *, why: str) -> None:
    async with db.transaction(actor) as conn:
        given = {"id": import_id, "state": "failed", "summary": Jsonb({"error": why})}
        await conn.execute(SQL["finish"], given)


@asynccontextmanager
async def stored(db: Database, import_id: UUID) -> AsyncIterator[Path]:
    """The bytes of a job as a file. Raises NotFound."""
    row = await db.row(SQL["body"], {"id": import_id})
    if row is None or row["body"] is None:
        raise BadInput("not_a_table", "the file is not kept any more: send it again")
    descriptor, name = tempfile.mkstemp(prefix="citynet-import-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(row["body"])
        del row
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


async def finished(import_id: UUID) -> None:
    """Wait until nothing is under way for this job in this process."""
    task = _running.get(import_id)
    if task:
        await asyncio.wait([task])


async def one(db: Center, actor: Actor, import_id: UUID) -> Job:
    """A job. Raises NotFound. Needs registry.write."""
    require(actor, "registry.write")
    row = await db.row(SQL["job"], {"id": import_id})
    if row is None:
        raise NotFound(f"no import {import_id}")
    return _job(row)


async def newest(db: Center, actor: Actor) -> list[Job]:
    """The newest jobs. Needs registry.write."""
    require(actor, "registry.write")
    return [_job(row) for row in await db.rows(SQL["jobs"], {"limit": SHOWN})]


async def report(db: Center, actor: Actor, import_id: UUID, *, limit: int = REPORT_MAX) -> list[Reject]:
    """Every fault in the order of the file. Needs registry.write."""
    await one(db, actor, import_id)
    rows = await db.rows(SQL["report"], {"id": import_id, "limit": limit})
    return [Reject(**row) for row in rows]


def outcome_of(job: Job) -> Outcome | None:
    """What the last pass over the file found; None before it ended."""
    return Outcome(**job.summary) if "rows" in job.summary else None
