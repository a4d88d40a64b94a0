"""Takes a file of objects and devices into the registry: every row is checked, then all of them count or none.

Called by the API, the screen and `citynet registry import`. Memory is bounded: rows pass in chunks.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from citynet.classes import ObjectClass
from citynet.db import Connection, Database, Row
from citynet.errors import BadInput
from situation_center import registry_write, zones
from situation_center.reference.cells import attribute
from situation_center.reference.columns import Reject
from situation_center.reference.loading import CHUNK, load
from situation_center.reference.outcome import SQL, Outcome, Work, reject
from situation_center.registry_plan import Change, Ids, Plan, device_key, make_plan
from situation_center.registry_versions import Moment, begin, current, differs

REPORT_MAX = 1_000_000
SOURCE = "registry"
CHECKS = (
    "same_key", "same_eui", "other_class", "merged", "no_class", "no_name", "no_profile", "no_eui", "eui_elsewhere",
    "other_device", "no_org", "no_parent", "circles",
)  # fmt: skip
# Rows after which the planner is told how large the tables have become: in an empty city it would walk all of them.
ANALYZED_AT = (CHUNK, 10 * CHUNK)
PENDING = -1  # id of what the file will make


async def run(db: Database, work: Work, path: Path, *, apply: bool) -> Outcome:
    """Check a file and, with apply, take it in when nothing is wrong with it; faults are kept in registry_reject.

    One transaction: a fault, an error or a lost connection leaves the registry as it was.
    """
    outcome = Outcome()
    async with db.transaction(work.actor) as conn:
        await conn.execute(SQL["forget_rejects"], {"id": work.import_id})
        moment = await begin(conn, work.actor, lock=apply)
        if await load(conn, work, path, outcome=outcome, moment=moment):
            await _check(conn, work)
            await _walk(conn, work, outcome, moment=moment, write=False)
        await _count_rejects(conn, work, outcome)
        if apply and not outcome.rejected:
            await conn.execute(SQL["add_identities"])
            await _walk(conn, work, outcome, moment=moment, write=True)
            outcome.applied = True
            await _note(conn, work, outcome)
    if outcome.applied and outcome.new > CHUNK:
        await _fresh_statistics(db)
    return outcome


async def _fresh_statistics(db: Database) -> None:
    """Before the first screen asks, not when autovacuum comes by."""
    async with db.reader() as conn:
        await conn.execute(SQL["analyze"])


async def _check(conn: Connection, work: Work) -> None:
    """What only the whole file and the registry show."""
    for name in CHECKS:
        await conn.execute(SQL[name], {"id": work.import_id})


async def _count_rejects(conn: Connection, work: Work, outcome: Outcome) -> None:
    given = {"id": work.import_id}
    row = await (await conn.execute(SQL["rejects"], given)).fetchone()
    assert row is not None
    outcome.rejected = row["lines"]
    rows = await (await conn.execute(SQL["by_reason"], given)).fetchall()
    outcome.reasons = {row["reason"]: row["n"] for row in rows}


@dataclass
class Step:
    """A chunk on its way: changes, lines and ids of their keys, and what showed only now that their class is known."""

    lines: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    ids: Ids = field(default_factory=dict)
    faults: list[Reject] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)


async def _walk(conn: Connection, work: Work, outcome: Outcome, *, moment: Moment, write: bool) -> None:
    """Plan every row; without write count what would change and note what cannot be, with write do it."""
    kinds, known = await registry_write.classes(conn), await registry_write.load_zones(conn)
    at: dict[str, Any] = {"id": work.import_id, "area": True, "line": 0, "limit": CHUNK}
    areas_changed, done = False, 0
    while rows := await (await conn.execute(SQL["chunk"], at)).fetchall():
        if at["area"] and not rows[0]["area"]:
            known = await registry_write.load_zones(conn)  # areas come first, the others are placed in them
        if rows[0]["area"] != rows[-1]["area"]:
            rows = [row for row in rows if row["area"]]
        at |= {"area": rows[-1]["area"], "line": rows[-1]["line"]}
        step = _step(rows, kinds)
        if write:
            plan = await registry_write.plan_for(
                conn, step.changes, ids=step.ids, kinds=kinds, source=SOURCE, known=known
            )
            changed = await registry_write.carry_out(conn, plan, moment=moment)
            areas_changed |= bool(changed & plan.areas)
            await registry_write.allocate_series(conn, step.changes, ids=step.ids, catalog=work.catalog)
        else:
            await _compare(conn, work, outcome, step=step, kinds=kinds, known=known)
        done += len(rows)
        if write and done in ANALYZED_AT:
            await conn.execute(SQL["analyze"])
        await work.tell(done)
    if areas_changed:
        await registry_write.rezone(conn, moment)


def _typed(change: Change, cls: ObjectClass | None, step: Step, *, line: int) -> Change:
    """The file does not name the class: only now its attributes have a type."""
    attributes: dict[str, Any] = {}
    for name, cell in change.given.attributes.items():
        try:
            attributes[name] = None if cell is None else attribute(cell, cls.find(name) if cls else None)
        except BadInput as error:
            step.faults.append(Reject(line, f"attr.{name}", error.reason, error.detail[:200]))
    return replace(change, given=replace(change.given, attributes=attributes))


def _step(rows: list[Row], kinds: Mapping[str, ObjectClass]) -> Step:
    step = Step()
    for row in rows:
        change: Change = msgspec.msgpack.decode(row["body"], type=Change)
        if not change.cls and row["class"]:
            change = replace(change, cls=row["class"])
            change = _typed(change, kinds.get(change.cls), step, line=row["line"])
        new = -row["line"] * 2 - 2
        step.ids[change.key] = row["object_id"] or new
        if change.device:
            step.ids[device_key(change.device.external_id)] = row["device_id"] or new - 1
        for key, found in ((change.org, row["org_id"]), (change.parent, row["parent_id"])):
            if key:
                step.ids.setdefault(key, found or PENDING)
        step.lines[change.key] = row["line"]
        step.refused |= {row["line"]} if row["refused"] else set()
        step.changes.append(change)
    return step


async def _compare(
    conn: Connection, work: Work, outcome: Outcome, *, step: Step, kinds: Mapping[str, ObjectClass], known: zones.Zones
) -> None:
    """Count new, changed and equal rows; rows that the registry cannot take go into the report."""
    before = await current(conn, [i for i in step.ids.values() if i > 0])
    plan, faults = Plan(), list(step.faults)
    for change in step.changes:
        now = before.get(step.ids[change.key])
        line = step.lines[change.key]
        if change.since and now and change.since < now.valid_from:
            faults.append(Reject(line, "since", "date_before", f"{change.since:%Y-%m-%d} < {now.valid_from:%Y-%m-%d}"))
        faults += _unknown_attributes(change, line, kinds=kinds, known=set(now.version.attributes) if now else set())
        try:
            one = make_plan([change], ids=step.ids, before=before, kinds=kinds, source=SOURCE, known=known)
        except BadInput as error:
            faults.append(Reject(line, "", error.reason, error.detail[:200]))
            continue
        plan.versions |= one.versions
    await reject(conn, work, faults)
    different = differs(plan.versions, before)
    refused = step.refused | {fault.line for fault in faults}
    for change in step.changes:
        if step.lines[change.key] in refused:
            continue
        ids = {step.ids[change.key]} | ({step.ids[device_key(change.device.external_id)]} if change.device else set())
        kind = "new" if step.ids[change.key] < 0 else "changed" if ids & different else "same"
        setattr(outcome, kind, getattr(outcome, kind) + 1)


def _unknown_attributes(
    change: Change, line: int, *, kinds: Mapping[str, ObjectClass], known: set[str]
) -> list[Reject]:
    """A misspelt column must not become an attribute that nobody ever reads."""
    cls = kinds.get(change.cls)
    if cls is None or change.cls == "device":
        return []
    return [
        Reject(line, f"attr.{name}", "unknown_attribute", f"{change.cls}.{name}"[:200])
        for name, value in change.given.attributes.items()
        if value is not None and name not in known and cls.find(name) is None
    ]


async def _note(conn: Connection, work: Work, outcome: Outcome) -> None:
    detail = {"import": str(work.import_id), "rows": outcome.rows, "new": outcome.new, "changed": outcome.changed}
    await conn.execute(
        "INSERT INTO audit (actor, action, object, detail) VALUES (%s, 'registry.import', %s, %s)",
        [work.actor, str(work.import_id), Jsonb(detail)],
    )
    if outcome.new or outcome.changed:
        await registry_write.announce(conn, "registry", "all")


async def finish(db: Database, work: Work, outcome: Outcome) -> None:
    """Keep with the job how the last pass ended."""
    state = "applied" if outcome.applied else "refused" if outcome.rejected else "checked"
    given = {"id": work.import_id, "state": state, "summary": Jsonb(asdict(outcome))}
    async with db.transaction(work.actor) as conn:
        await conn.execute(SQL["finish"], given)
