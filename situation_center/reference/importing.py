"""Takes a file of objects and devices into the registry: every row is checked, then all of them count or none.

Called by the API, the screen and `citynet registry import`. Memory is bounded: rows pass in chunks.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from citynet.classes import ObjectClass
from citynet.db import Connection, Database, Row
from citynet.errors import BadInput
from situation_center import registry_write, zones
from situation_center.reference import addresses
from situation_center.reference.cells import attribute
from situation_center.reference.columns import Reject
from situation_center.reference.loading import CHUNK, load
from situation_center.reference.outcome import SQL, Outcome, Work, reject
from situation_center.registry_plan import Change, Ids, Plan, device_key, make_plan
from situation_center.registry_versions import Current, Moment, begin, current, differs

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

    One transaction: a fault, an error or a lost connection leaves the registry as it was. Other writers of the
    registry wait only while the rows are judged and written, not while the file is read.
    """
    outcome = Outcome()
    async with db.transaction(work.actor) as conn:
        await conn.execute(SQL["forget_rejects"], {"id": work.import_id})
        moment = await begin(conn, work.actor, lock=False)
        if await load(conn, work, path, outcome=outcome, moment=moment):
            moment = await begin(conn, work.actor, lock=apply)
            await _check(conn, work)
            await _count_rejects(conn, work, outcome)
            if apply and not outcome.rejected:
                outcome.applied = await _take_in(conn, work, outcome, moment=moment)
            if not outcome.applied:
                await _judge(conn, work, outcome)
        await _count_rejects(conn, work, outcome)
        if outcome.applied:
            await _note(conn, work, outcome)
    if outcome.applied and outcome.new > CHUNK:
        await _settle(db)
    return outcome


async def _settle(db: Database) -> None:
    """Statistics and the index of words, before the first screen asks and not when autovacuum comes by."""
    async with db.reader() as conn:
        await conn.execute(SQL["analyze"])
        await conn.execute(SQL["settle_words"])


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
    """A chunk on its way: changes, lines and ids of their keys, what is there now, zones, faults that show only now."""

    lines: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    ids: Ids = field(default_factory=dict)
    faults: list[Reject] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    before: dict[int, Current] = field(default_factory=dict)
    known: zones.Zones = field(default_factory=lambda: zones.Zones({}))
    placed: int = 0


async def _steps(conn: Connection, work: Work, kinds: Mapping[str, ObjectClass]) -> AsyncIterator[Step]:
    """The rows of the file in chunks, areas first: the others are then placed in them."""
    known = await registry_write.load_zones(conn)
    at: dict[str, Any] = {"id": work.import_id, "area": True, "line": 0, "limit": CHUNK}
    done = 0
    while rows := await (await conn.execute(SQL["chunk"], at)).fetchall():
        if at["area"] and not rows[0]["area"]:
            known = await registry_write.load_zones(conn)
        if rows[0]["area"] != rows[-1]["area"]:
            rows = [row for row in rows if row["area"]]
        at |= {"area": rows[-1]["area"], "line": rows[-1]["line"]}
        step = _step(rows, kinds)
        step.known = known
        step.before = await current(conn, [i for i in step.ids.values() if i > 0])
        await _locate(conn, step)
        yield step
        done += len(rows)
        await work.tell(done)


async def _locate(conn: Connection, step: Step) -> None:
    """The place of what has an address and nowhere a point, from the register of addresses."""
    wanted = {n: c.given.address for n, c in enumerate(step.changes) if c.given.address and _nowhere(c, step)}
    if not wanted:
        return
    found = await addresses.points(conn, set(wanted.values()))
    for n, address in wanted.items():
        if address in found:
            change, (lon, lat) = step.changes[n], found[address]
            given = replace(change.given, lon=lon, lat=lat)
            step.changes[n] = replace(change, given=given, names=change.names | {"lon", "lat"})
            step.placed += 1


def _nowhere(change: Change, step: Step) -> bool:
    now = step.before.get(step.ids[change.key])
    kept = now.version if now and not change.names & {"lon", "geometry"} else None
    places = [v for v in (change.given, kept) if v and (v.lon is not None or v.geometry)]
    return not places and change.cls != "device" and change.cls not in zones.CLASSES


async def _take_in(conn: Connection, work: Work, outcome: Outcome, *, moment: Moment) -> bool:
    """Write every row. At the first that the registry cannot take nothing is written: _judge says which they are."""
    kinds, made = await registry_write.classes(conn), Outcome()
    areas_changed, done = False, 0
    try:
        async with conn.transaction():
            await conn.execute(SQL["add_identities"])
            await conn.execute(SQL["gather_words"])
            async for step in _steps(conn, work, kinds):
                plan = _whole_plan(step, kinds)
                _tally(made, step, different=differs(plan.versions, step.before))
                changed = await registry_write.carry_out(conn, plan, moment=moment)
                areas_changed |= bool(changed & plan.areas)
                await registry_write.allocate_series(conn, step.changes, ids=step.ids, catalog=work.catalog)
                done += len(step.changes)
                if done in ANALYZED_AT:
                    await conn.execute(SQL["analyze"])
            if areas_changed:
                await registry_write.rezone(conn, moment)
    except BadInput:
        return False
    outcome.new, outcome.changed, outcome.same, outcome.placed = made.new, made.changed, made.same, made.placed
    return True


def _whole_plan(step: Step, kinds: Mapping[str, ObjectClass]) -> Plan:
    """The plan of a chunk without a fault. Raises BadInput."""
    faults = [*step.faults, *(f for change in step.changes for f in _faults(change, step, kinds))]
    if faults:
        raise BadInput(faults[0].reason, faults[0].value)
    return make_plan(step.changes, ids=step.ids, before=step.before, kinds=kinds, source=SOURCE, known=step.known)


def _tally(outcome: Outcome, step: Step, *, different: set[int], refused: Set[int] = frozenset()) -> None:
    """Count rows as new, changed or equal."""
    outcome.placed += step.placed
    for change in step.changes:
        if step.lines[change.key] in refused:
            continue
        ids = {step.ids[change.key]} | ({step.ids[device_key(change.device.external_id)]} if change.device else set())
        kind = "new" if step.ids[change.key] not in step.before else "changed" if ids & different else "same"
        setattr(outcome, kind, getattr(outcome, kind) + 1)


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


async def _judge(conn: Connection, work: Work, outcome: Outcome) -> None:
    """Count new, changed and equal rows; rows that the registry cannot take go into the report."""
    kinds = await registry_write.classes(conn)
    async for step in _steps(conn, work, kinds):
        plan, faults = Plan(), list(step.faults)
        faults += [fault for change in step.changes for fault in _faults(change, step, kinds)]
        for change, planned in _planned(step, kinds):
            if isinstance(planned, BadInput):
                faults.append(Reject(step.lines[change.key], "", planned.reason, planned.detail[:200]))
            else:
                plan.versions |= planned.versions
        await reject(conn, work, faults)
        refused = step.refused | {fault.line for fault in faults}
        _tally(outcome, step, different=differs(plan.versions, step.before), refused=refused)


def _planned(step: Step, kinds: Mapping[str, ObjectClass]) -> Iterator[tuple[Change, Plan | BadInput]]:
    """What becomes of a chunk: as a whole, which is fast, and only where that fails row by row."""

    def plan(changes: list[Change]) -> Plan | BadInput:
        try:
            return make_plan(changes, ids=step.ids, before=step.before, kinds=kinds, source=SOURCE, known=step.known)
        except BadInput as error:
            return error

    whole = plan(step.changes)
    if isinstance(whole, Plan):
        yield step.changes[0], whole
    else:
        yield from ((change, plan([change])) for change in step.changes)


def _faults(change: Change, step: Step, kinds: Mapping[str, ObjectClass]) -> list[Reject]:
    """What is wrong with a row beside what is in the registry now."""
    now, line = step.before.get(step.ids[change.key]), step.lines[change.key]
    faults = _unknown_attributes(change, line, kinds=kinds, known=set(now.version.attributes) if now else set())
    if change.since and now and change.since < now.valid_from:
        faults.append(Reject(line, "since", "date_before", f"{change.since:%Y-%m-%d} < {now.valid_from:%Y-%m-%d}"))
    return faults


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
