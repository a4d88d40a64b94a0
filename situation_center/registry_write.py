"""Writes the registry: proposals of other rooms and the catalogue become bitemporal versions. Called by the worker."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from citynet.catalog import Catalog, Profile
from citynet.db import Connection, Database, named_sql
from citynet.errors import BadInput
from citynet.model import Proposal, ProposalRequest
from situation_center import zones
from situation_center.store import add_outbox

SQL = named_sql(Path(__file__).with_name("registry_write.sql"))
OBJECTS_MAX = 500
ACTOR = "part:worker"
# When something began that nobody has dated: earlier than any reading.
SINCE = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Version:
    """What is true of an object, without its times."""

    name_ru: str
    name_en: str
    service: str | None
    org_id: int | None
    parent_id: int | None
    lon: float | None
    lat: float | None
    geometry: bytes | None
    zone_ids: list[int]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """When a change is true (city) and when it is written down (wall)."""

    city: datetime
    recorded: datetime


Ids = dict[str, int]


def device_key(external_id: str) -> str:
    """Natural key of the object that is the device itself."""
    return f"device/{external_id}"


def check(request: ProposalRequest) -> None:
    """Raise BadInput for a request that breaks the written limits."""
    if len(request.objects) > OBJECTS_MAX:
        raise BadInput("too_many_objects", f"{len(request.objects)}, at most {OBJECTS_MAX} in one request")
    keys = [p.key for p in request.objects]
    if len(set(keys)) < len(keys):
        raise BadInput("duplicate_key", next(k for k in keys if keys.count(k) > 1))


async def apply(db: Database, request: ProposalRequest, catalog: Catalog) -> int:
    """Bring the registry to what the request says, in one audited transaction; the number of objects changed.

    The same request again changes nothing. Raises BadInput naming the first thing that does not fit.
    """
    check(request)
    detail = {"objects": len(request.objects)}
    async with db.transaction(ACTOR, action="registry.propose", object_=request.source, detail=detail) as conn:
        await conn.execute(SQL["lock"])
        moment = await _moment(conn)
        if request.profiles:
            await _seed(conn, "profile", wanted=_profiles(request), moment=moment)
        ids = await _identities(conn, request.objects)
        changed = await _write_objects(conn, request.objects, ids=ids, moment=moment)
        devices = [p for p in request.objects if p.device]
        changed |= await _write_devices(conn, devices, ids=ids, moment=moment)
        await _tie(conn, devices, ids=ids, moment=moment)
        added = await _allocate_series(conn, devices, ids=ids, catalog=catalog)
        if changed or added:
            await announce(conn, "registry", "all")
    return len(changed)


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


async def _moment(conn: Connection) -> Moment:
    row = await (await conn.execute(SQL["moment"])).fetchone()
    assert row is not None
    return Moment(row["city"], row["recorded"])


async def _identities(conn: Connection, proposals: list[Proposal]) -> Ids:
    classes = {p.key: p.cls for p in proposals}
    classes |= {device_key(p.device.external_id): "device" for p in proposals if p.device}
    await conn.execute(SQL["add_objects"], {"keys": list(classes), "classes": list(classes.values())})
    named = {key for p in proposals for key in (p.org, p.parent) if key}
    rows = await (await conn.execute(SQL["ids"], {"keys": [*classes, *named]})).fetchall()
    for row in rows:
        if classes.get(row["key"], row["class"]) != row["class"]:
            raise BadInput("class_changed", f"{row['key']} is a {row['class']}; an object never changes its class")
    ids: Ids = {row["key"]: row["object_id"] for row in rows}
    missing = sorted(named - set(ids))
    if missing:
        raise BadInput("unknown_key", f"{missing[0]}: propose organisations and parents first")
    return ids


def _version(proposal: Proposal, ids: Ids) -> Version:
    return Version(
        name_ru=proposal.name_ru,
        name_en=proposal.name_en,
        service=proposal.service,
        org_id=ids[proposal.org] if proposal.org else None,
        parent_id=ids[proposal.parent] if proposal.parent else None,
        lon=proposal.lon,
        lat=proposal.lat,
        geometry=zones.wkb(proposal.geometry, proposal.key) if proposal.geometry else None,
        zone_ids=[],
        attributes=proposal.attributes,
    )


async def _write_objects(conn: Connection, proposals: list[Proposal], *, ids: Ids, moment: Moment) -> set[int]:
    areas = {ids[p.key]: _version(p, ids) for p in proposals if p.cls in zones.CLASSES}
    others = {ids[p.key]: _version(p, ids) for p in proposals if p.cls not in zones.CLASSES}
    changed = await _write(conn, areas, moment)
    known = await _zones(conn)
    members = known.members({i: (v.lon, v.lat, v.geometry) for i, v in others.items()})
    others = {i: replace(v, zone_ids=members[i]) for i, v in others.items()}
    changed |= await _write(conn, others, moment)
    if any(i in changed for i in areas):
        changed |= await _rezone(conn, known, moment)
    return changed


async def _zones(conn: Connection) -> zones.Zones:
    rows = await (await conn.execute(SQL["zones"], {"classes": list(zones.CLASSES)})).fetchall()
    return zones.Zones({row["object_id"]: row["geometry"] for row in rows})


async def _rezone(conn: Connection, known: zones.Zones, moment: Moment) -> set[int]:
    """A zone was drawn anew: whoever lies in other zones now gets a new version."""
    rows = await (await conn.execute(SQL["placed"], {"classes": list(zones.CLASSES)})).fetchall()
    members = known.members({r["object_id"]: (r["lon"], r["lat"], r["geometry"]) for r in rows})
    moved = {r["object_id"]: members[r["object_id"]] for r in rows if members[r["object_id"]] != r["zone_ids"]}
    if not moved:
        return set()
    rows = await (await conn.execute(SQL["full"], {"ids": list(moved)})).fetchall()
    wanted = {row["object_id"]: replace(_from_row(row), zone_ids=moved[row["object_id"]]) for row in rows}
    return await _write(conn, wanted, moment)


def _from_row(row: Mapping[str, Any]) -> Version:
    return Version(**{name: row[name] for name in Version.__dataclass_fields__})


async def _write(conn: Connection, wanted: dict[int, Version], moment: Moment) -> set[int]:
    """Close and write again what differs from the current versions; the ids that changed."""
    rows = await (await conn.execute(SQL["current"], {"ids": list(wanted)})).fetchall()
    current = {row["object_id"]: row for row in rows}
    same = {i for i, row in current.items() if not row["retired"] and _from_row(row) == wanted[i]}
    changed = set(wanted) - same
    if not changed:
        return changed
    # Nothing may begin before what it replaces, even after the city clock was set back.
    starts = {i: max(moment.city, current[i]["valid_from"]) if i in current else SINCE for i in changed}
    past = {"ids": list(changed), "city": moment.city, "recorded": moment.recorded}
    await conn.execute(SQL["close"], past)
    await conn.execute(SQL["keep_past"], past)
    async with conn.cursor() as cursor:
        rows_new = [_parameters(i, wanted[i], starts[i]) | {"recorded": moment.recorded} for i in sorted(changed)]
        await cursor.executemany(SQL["add_version"], rows_new)
    return changed


def _parameters(object_id: int, version: Version, valid_from: datetime) -> dict[str, Any]:
    named = asdict(version) | {"attributes": Jsonb(version.attributes), "actor": ACTOR}
    return named | {"object_id": object_id, "valid_from": valid_from}


async def _write_devices(conn: Connection, proposals: list[Proposal], *, ids: Ids, moment: Moment) -> set[int]:
    """Devices are objects too: they belong where their point belongs, but have no place of their own."""
    points = [ids[p.key] for p in proposals]
    rows = await (await conn.execute(SQL["full"], {"ids": points})).fetchall()
    by_id = {row["object_id"]: _from_row(row) for row in rows}
    wanted: dict[int, Version] = {}
    for proposal in proposals:
        spec = proposal.device
        assert spec is not None
        known = {"external_id": spec.external_id, "protocol": spec.protocol, "profile": spec.profile}
        at = by_id[ids[proposal.key]]
        version = replace(
            at, parent_id=None, lon=None, lat=None, geometry=None, attributes={**spec.attributes, **known}
        )
        wanted[ids[device_key(spec.external_id)]] = version
    return await _write(conn, wanted, moment)


async def _tie(conn: Connection, proposals: list[Proposal], *, ids: Ids, moment: Moment) -> None:
    """Device measures point from now on; a device that comes to another point, or another to this one, ends the old."""
    wanted = {ids[device_key(p.device.external_id)]: ids[p.key] for p in proposals if p.device}
    rows = await (
        await conn.execute(SQL["tied"], {"devices": list(wanted), "points": list(wanted.values())})
    ).fetchall()
    right = {row["device_id"] for row in rows if wanted.get(row["device_id"]) == row["object_id"]}
    wrong = [row["device_id"] for row in rows if row["device_id"] not in right]
    await conn.execute(SQL["untie"], {"devices": wrong, "city": moment.city})
    new = {device: point for device, point in wanted.items() if device not in right}
    await conn.execute(SQL["tie"], {"devices": list(new), "points": list(new.values()), "since": SINCE})


async def _allocate_series(conn: Connection, proposals: list[Proposal], *, ids: Ids, catalog: Catalog) -> int:
    profiles = {r["name"]: r["body"] for r in await (await conn.execute(SQL["profiles"])).fetchall()}
    rows: list[tuple[int, str, str, str]] = []
    for proposal in proposals:
        assert proposal.device is not None
        body = profiles.get(proposal.device.profile)
        if body is None:
            raise BadInput("unknown_profile", f"{proposal.device.profile} of {proposal.device.external_id}")
        rows += [(ids[proposal.key], q, c, _unit(catalog, q)) for q, c in _mapped(body)]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    given = dict(zip(("objects", "quantities", "channels", "units"), columns, strict=True))
    return (await conn.execute(SQL["add_series"], given)).rowcount


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
        await conn.execute(SQL["lock"])
        moment = await _moment(conn)
        written = await _seed(conn, "profile", wanted=_bodies(catalog.profiles), moment=moment)
        written += await _seed(conn, "rule", wanted=_bodies(catalog.rules), moment=moment)
        if written:
            await conn.execute(
                "INSERT INTO audit (actor, action, detail) VALUES (%s, 'catalog.seed', %s)",
                [ACTOR, Jsonb({"versions": written})],
            )
    return len(written)


async def _seed(conn: Connection, kind: str, *, wanted: dict[str, dict[str, Any]], moment: Moment) -> list[str]:
    rows = await (await conn.execute(SQL[f"{kind}s"])).fetchall()
    known = {row["name"]: (row["version"], row["body"]) for row in rows}
    changed = [name for name, body in wanted.items() if known.get(name, (0, None))[1] != body]
    for name in changed:
        version = known.get(name, (0, None))[0] + 1
        given = {"name": name, "version": version, "body": Jsonb(wanted[name]), "city": moment.city}
        await conn.execute(SQL[f"add_{kind}"], given)
        await announce(conn, kind, name)
    return changed
