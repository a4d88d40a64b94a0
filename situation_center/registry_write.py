"""Writes the registry: proposals of other rooms and the catalogue become bitemporal versions. Called by the worker."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from citynet.catalog import Catalog, Profile
from citynet.classes import ObjectClass, shipped, validate
from citynet.db import Connection, Database, named_sql
from citynet.errors import BadInput
from citynet.model import ProposalRequest
from situation_center import zones
from situation_center.registry_lines import show
from situation_center.registry_plan import Change, Ids, Plan, device_key, from_proposal, make_plan
from situation_center.registry_versions import SINCE, Moment, begin, current, write
from situation_center.store import add_outbox

SQL = named_sql(Path(__file__).with_name("registry_write.sql"))
OBJECTS_MAX = 500
ACTOR = "part:worker"


def check(request: ProposalRequest) -> None:
    """Raise BadInput for a request that breaks the written limits."""
    if len(request.objects) > OBJECTS_MAX:
        raise BadInput("too_many_objects", f"{len(request.objects)}, at most {OBJECTS_MAX} in one request")
    keys = [p.key for p in request.objects]
    if len(set(keys)) < len(keys):
        raise BadInput("duplicate_key", next(k for k in keys if keys.count(k) > 1))


async def apply(db: Database, request: ProposalRequest, catalog: Catalog, *, actor: str = ACTOR) -> int:
    """Bring the registry to what the request says, in one audited transaction; the number of objects changed.

    The same request again changes nothing. Raises BadInput naming the first thing that does not fit.
    """
    check(request)
    detail = {"objects": len(request.objects)}
    async with db.transaction(actor, action="registry.propose", object_=request.source, detail=detail) as conn:
        moment = await begin(conn, actor)
        wanted = _profiles(request)
        for name in await _seed(conn, "profile", wanted=wanted, moment=moment):
            await add_mapped(conn, name, wanted[name], catalog=catalog)
        await _seed_codecs(conn, request.codecs, note=request.source)
        changes = [from_proposal(p) for p in request.objects]
        return await put(conn, changes, source=request.source, catalog=catalog, moment=moment)


async def put(conn: Connection, changes: list[Change], *, source: str, catalog: Catalog, moment: Moment) -> int:
    """Write changes in a transaction that holds the lock (begin()) and announce them; the number of objects changed."""
    ids, kinds = await identities(conn, changes), await classes(conn)
    changed: set[int] = set()
    areas = [c for c in changes if c.cls in zones.CLASSES]
    for group in (areas, [c for c in changes if c.cls not in zones.CLASSES]):
        # Areas first: the others are then placed in them.
        known = await load_zones(conn) if group else zones.Zones({})
        plan = await plan_for(conn, group, ids=ids, kinds=kinds, source=source, known=known)
        changed |= await carry_out(conn, plan, moment=moment)
    if any(ids[c.key] in changed for c in areas):
        changed |= await rezone(conn, moment)
    added = await allocate_series(conn, changes, ids=ids, catalog=catalog)
    if changed or added:
        await announce(conn, "registry", "all")
    return len(changed)


async def plan_for(
    conn: Connection,
    changes: list[Change],
    *,
    ids: Ids,
    kinds: Mapping[str, ObjectClass],
    source: str,
    known: zones.Zones,
) -> Plan:
    """What would be true after these changes; ids of what does not exist yet may be negative."""
    wanted = {ids[c.key] for c in changes}
    wanted |= {ids[device_key(c.device.external_id)] for c in changes if c.device}
    before = await current(conn, [i for i in wanted if i > 0])
    return make_plan(changes, ids=ids, before=before, kinds=kinds, source=source, known=known)


async def carry_out(conn: Connection, plan: Plan, *, moment: Moment) -> set[int]:
    """Write the versions and ties of a plan; the ids that changed."""
    changed = await write(conn, plan.versions, moment, starts=plan.starts)
    await show(conn, changed | await tie(conn, plan.ties, moment))
    return changed


def _profiles(request: ProposalRequest) -> dict[str, dict[str, Any]]:
    try:
        return {n: _body(Profile.model_validate({**body, "name": n})) for n, body in request.profiles.items()}
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput("bad_profile", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


async def announce(conn: Connection, kind: str, name: str) -> None:
    """Tell all parts in the same transaction; they read the tables again."""
    payload = msgspec.json.encode({"kind": kind, "id": name})
    await add_outbox(conn, f"changes.{kind}.{name}", payload=payload)


async def identities(conn: Connection, changes: list[Change]) -> Ids:
    """Ids of all keys that the changes name; new keys get one. Raises BadInput."""
    kinds = {c.key: c.cls for c in changes}
    kinds |= {device_key(c.device.external_id): "device" for c in changes if c.device}
    await conn.execute(SQL["add_objects"], {"keys": list(kinds), "classes": list(kinds.values())})
    named = {key for c in changes for key in (c.org, c.parent) if key}
    rows = await (await conn.execute(SQL["ids"], {"keys": [*kinds, *named]})).fetchall()
    for row in rows:
        if kinds.get(row["key"], row["class"]) != row["class"]:
            raise BadInput("class_changed", f"{row['key']} is a {row['class']}; an object never changes its class")
    ids: Ids = {row["key"]: row["object_id"] for row in rows}
    missing = sorted(named - set(ids))
    if missing:
        raise BadInput("unknown_key", f"{missing[0]}: propose organisations and parents first")
    return ids


async def classes(conn: Connection) -> dict[str, ObjectClass]:
    """The newest definition of every class; the shipped ones where nobody has written another."""
    rows = await (await conn.execute(SQL["classes"])).fetchall()
    return shipped() | {row["name"]: validate(row["name"], row["body"]) for row in rows}


async def load_zones(conn: Connection) -> zones.Zones:
    """The zones of the city as they are now."""
    rows = await (await conn.execute(SQL["zones"], {"classes": list(zones.CLASSES)})).fetchall()
    return zones.Zones({row["object_id"]: row["geometry"] for row in rows})


async def rezone(conn: Connection, moment: Moment) -> set[int]:
    """A zone was drawn anew: whoever lies in other zones now gets a new version."""
    known = await load_zones(conn)
    rows = await (await conn.execute(SQL["placed"], {"classes": list(zones.CLASSES)})).fetchall()
    members = known.members({r["object_id"]: (r["lon"], r["lat"], r["geometry"]) for r in rows})
    moved = {r["object_id"]: members[r["object_id"]] for r in rows if members[r["object_id"]] != r["zone_ids"]}
    rows = await (await conn.execute(SQL["tied"], {"devices": [], "points": list(moved)})).fetchall()
    moved |= {row["device_id"]: moved[row["object_id"]] for row in rows}
    known_now = await current(conn, moved)
    wanted = {i: replace(now.version, zone_ids=moved[i]) for i, now in known_now.items()}
    changed = await write(conn, wanted, moment) if wanted else set()
    await show(conn, changed)
    return changed


async def tie(conn: Connection, wanted: Mapping[int, int], moment: Moment) -> set[int]:
    """Device measures point from now on; a device that comes to another point, or another to this one, ends the old.

    Gives all devices and points whose relation changed.
    """
    rows = await (
        await conn.execute(SQL["tied"], {"devices": list(wanted), "points": list(wanted.values())})
    ).fetchall()
    right = {row["device_id"] for row in rows if wanted.get(row["device_id"]) == row["object_id"]}
    wrong = [row for row in rows if row["device_id"] not in right]
    await untie(conn, [row["device_id"] for row in wrong], moment)
    new = {device: point for device, point in wanted.items() if device not in right}
    await conn.execute(SQL["tie"], {"devices": list(new), "points": list(new.values()), "since": SINCE})
    touched = [*new.items(), *((row["device_id"], row["object_id"]) for row in wrong)]
    return {i for pair in touched for i in pair}


async def untie(conn: Connection, devices: list[int], moment: Moment) -> None:
    """These devices measure nothing from now on."""
    await conn.execute(SQL["untie"], {"devices": devices, "city": moment.city})


async def allocate_series(conn: Connection, changes: list[Change], *, ids: Ids, catalog: Catalog) -> int:
    """Series for all that the profiles of these devices map; the number of new ones."""
    profiles = {r["name"]: r["body"] for r in await (await conn.execute(SQL["profiles"])).fetchall()}
    rows: list[tuple[int, str, str, str]] = []
    for change in changes:
        if change.device is None or not change.device.profile:
            continue
        body = profiles.get(change.device.profile)
        if body is None:
            raise BadInput("unknown_profile", f"{change.device.profile} of {change.device.external_id}")
        rows += [(ids[change.key], q, c, _unit(catalog, q)) for q, c in _mapped(body)]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    given = dict(zip(("objects", "quantities", "channels", "units"), columns, strict=True))
    return (await conn.execute(SQL["add_series"], given)).rowcount


async def add_mapped(conn: Connection, name: str, body: Mapping[str, Any], *, catalog: Catalog) -> None:
    """Series for all that a new version of a profile maps, on the points of all its devices."""
    rows = [(q, c, _unit(catalog, q)) for q, c in _mapped(body)]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    given = dict(zip(("quantities", "channels", "units"), columns, strict=True))
    await conn.execute(SQL["add_mapped"], {"name": name, **given})


def _mapped(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return sorted({(m["quantity"], m.get("channel", "")) for m in body["map"].values()})


def _unit(catalog: Catalog, quantity: str) -> str:
    if quantity not in catalog.quantities:
        raise BadInput("unknown_quantity", f"{quantity} is not in schemas/quantities.toml")
    return catalog.quantities[quantity].unit


def _body(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _bodies(models: Mapping[str, BaseModel]) -> dict[str, dict[str, Any]]:
    return {name: _body(model) for name, model in models.items()}


async def seed_catalog(db: Database, catalog: Catalog) -> int:
    """Write profiles and rules of the catalogue as new versions where they differ; the number of versions written."""
    async with db.transaction(ACTOR) as conn:
        moment = await begin(conn, ACTOR)
        written = await _seed(conn, "profile", wanted=_bodies(catalog.profiles), moment=moment)
        written += await _seed(conn, "rule", wanted=_bodies(catalog.rules), moment=moment)
        written += await _seed_codecs(conn, catalog.codecs, note="shipped")
        if written:
            await conn.execute(
                "INSERT INTO audit (actor, action, detail) VALUES (%s, 'catalog.seed', %s)",
                [ACTOR, Jsonb({"versions": written})],
            )
    return len(written)


async def _seed_codecs(conn: Connection, wanted: Mapping[str, str], *, note: str) -> list[str]:
    """Scripts of profiles whose newest version is not a person's work."""
    if not wanted:
        return []
    rows = await (await conn.execute(SQL["codecs"])).fetchall()
    known = {row["profile"]: row for row in rows}
    changed = []
    for name, source in wanted.items():
        row = known.get(name)
        if row is None or (row["actor"] == ACTOR and row["source"] != source):
            version = row["version"] + 1 if row else 1
            given = {"profile": name, "version": version, "source": source, "note": note, "actor": ACTOR}
            await conn.execute(SQL["add_codec"], given)
            await announce(conn, "codec", name)
            changed.append(name)
    return changed


async def _seed(conn: Connection, kind: str, *, wanted: dict[str, dict[str, Any]], moment: Moment) -> list[str]:
    rows = await (await conn.execute(SQL[f"{kind}s"])).fetchall()
    known = {row["name"]: row for row in rows}
    # What a person has changed is not taken back by what was shipped.
    kept = {name for name, row in known.items() if row["by_person"]}
    changed = [n for n, body in wanted.items() if n not in kept and (n not in known or known[n]["body"] != body)]
    for name in changed:
        version = known[name]["version"] + 1 if name in known else 1
        given = {"name": name, "version": version, "body": Jsonb(wanted[name]), "city": moment.city}
        await conn.execute(SQL[f"add_{kind}"], given | {"actor": moment.actor, "note": ""})
        await announce(conn, kind, name)
    return changed
