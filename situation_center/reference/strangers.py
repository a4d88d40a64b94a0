"""Devices that talk and that nobody knows: who they are by their frames, and their adoption in one step.

What they sent before goes up again and is decoded then. Called by the API and the screen.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from citynet.access import Actor, require
from citynet.catalog import PROTOCOLS, Profile, catalog
from citynet.db import Connection, Database, named_sql
from citynet.errors import BadInput, Conflict
from citynet.model import DeviceSpec, Proposal
from situation_center import quarantine, registry_write
from situation_center.reference import cells
from situation_center.registry_plan import device_key, from_proposal
from situation_center.registry_versions import begin

SQL = named_sql(Path(__file__).with_name("strangers.sql"))
LISTED_MAX = 200
FRAMES_MAX = 10
DAYS = 30
BYTES_SHOWN = 600


@dataclass(frozen=True)
class Stranger:
    """An identifier with its frames; protocol and payload are those of the last one."""

    external_id: str
    frames: int
    first: datetime
    last: datetime
    protocol: str
    payload: str


@dataclass(frozen=True)
class Frame:
    """One frame of a stranger. payload as text, in base 16 where it is none."""

    at: datetime
    subject: str
    payload: str
    size: int


@dataclass(frozen=True)
class Adoption:
    """What a stranger shall be. key None = <class>/<external_id>; a key that is an object already gets the device."""

    external_id: str
    profile: str
    name: str = ""
    lon: float | None = None
    lat: float | None = None
    key: str | None = None
    parent: str | None = None
    service: str | None = None
    address: str = ""
    tags: list[str] = field(default_factory=list)


def _text(payload: bytes) -> str:
    """Text where it is text, else the bytes in base 16."""
    shown = bytes(payload[:BYTES_SHOWN])
    try:
        text = shown.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and len(payload) > BYTES_SHOWN
        text = shown[: error.start].decode("utf-8") if cut else "\0"
    return text if all(c.isprintable() or c in "\r\n\t" for c in text) else shown.hex(" ")


def protocol_of(subject: str) -> str:
    """The protocol that a subject of UPLINKS or HISTORY names: up.<partition>.<device>.<protocol>..."""
    tokens = subject.split(".")
    return tokens[3] if len(tokens) > 3 else ""


async def listed(db: Database, actor: Actor, *, text: str = "") -> list[Stranger]:
    """Unknown identifiers of the last 30 days, the newest first. Needs quarantine.read."""
    require(actor, "quarantine.read")
    given = {"days": DAYS, "text": text.replace("\0", "").strip().lower()[:100], "limit": LISTED_MAX}
    return [
        Stranger(
            row["external_id"],
            row["frames"],
            row["first"],
            row["last"],
            protocol_of(row["subject"]),
            _text(row["payload"]),
        )
        for row in await db.rows(SQL["strangers"], given)
    ]


async def frames(db: Database, actor: Actor, external_id: str) -> list[Frame]:
    """The last frames of one identifier. Needs quarantine.read."""
    require(actor, "quarantine.read")
    given = {"external_id": external_id.replace("\0", ""), "limit": FRAMES_MAX}
    rows = await db.rows(SQL["frames"], given)
    return [Frame(row["at"], row["subject"], _text(row["payload"]), len(row["payload"])) for row in rows]


async def adopt(db: Database, actor: Actor, wanted: Adoption) -> int:
    """Make a stranger a device of the registry; how many of its frames go up again to be decoded.

    Raises BadInput, Conflict when it is a device already. Needs registry.write.
    """
    require(actor, "registry.write")
    detail = {"profile": wanted.profile, "key": wanted.key}
    async with db.transaction(actor.name, action="registry.adopt", object_=wanted.external_id, detail=detail) as conn:
        moment = await begin(conn, actor.name)
        profile = await _profile(conn, wanted.profile)
        await _check_new(conn, wanted.external_id)
        heard = await (await conn.execute(SQL["heard"], {"external_id": wanted.external_id})).fetchone()
        change = from_proposal(_proposal(wanted, profile, _speaks(wanted, profile, heard["subject"] if heard else "")))
        cls = await _class(conn, change.key)
        if cls:  # an object that waits for its device
            await _check_free(conn, change.key)
            change = replace(change, names=frozenset(), whole=False, cls=cls)
        await registry_write.put(conn, [change], source="registry", catalog=catalog(), moment=moment)
        return await quarantine.request_replay(conn, by=actor.name, external_id=wanted.external_id)


def _speaks(wanted: Adoption, profile: Profile, subject: str) -> DeviceSpec:
    """The device as it was heard, or as its profile says when it was not; with the application it came through."""
    tokens, protocol = subject.split("."), protocol_of(subject)
    if protocol not in PROTOCOLS:
        return DeviceSpec(external_id=wanted.external_id, protocol=profile.protocol, profile=profile.name)
    through = {"application_id": tokens[4].replace("//", ".")} if protocol != "native" and len(tokens) > 4 else {}
    return DeviceSpec(external_id=wanted.external_id, protocol=protocol, profile=profile.name, attributes=through)


def _proposal(wanted: Adoption, profile: Profile, device: DeviceSpec) -> Proposal:
    external_id = cells.external_id(wanted.external_id, radio=device.protocol in cells.RADIO)
    if external_id != wanted.external_id:
        raise BadInput("bad_identifier", wanted.external_id[:100])
    lon = None if wanted.lon is None else cells.coordinate(str(wanted.lon), 180)
    lat = None if wanted.lat is None else cells.coordinate(str(wanted.lat), 90)
    if (lon is None) != (lat is None):
        raise BadInput("bad_coordinates", "longitude and latitude come together")
    if wanted.service and wanted.service not in catalog().services:
        raise BadInput("unknown_service", wanted.service[:60])
    name = cells.text(wanted.name.strip()) or external_id
    return Proposal(
        key=cells.text((wanted.key or f"{profile.class_}/{external_id}").strip()),
        cls=profile.class_,
        name_ru=name,
        name_en=name,
        service=wanted.service or service_of(profile.class_),
        parent=wanted.parent or None,
        lon=lon,
        lat=lat,
        address=cells.text(wanted.address),
        tags=cells.tags(",".join(wanted.tags)),
        device=device,
    )


def service_of(cls: str) -> str | None:
    """The city service whose class it is."""
    return next((s.name for s in catalog().services.values() if cls in s.classes), None)


async def _profile(conn: Connection, name: str) -> Profile:
    rows = await (await conn.execute(registry_write.SQL["profiles"])).fetchall()
    body = next((row["body"] for row in rows if row["name"] == name), None)
    if body is None:
        raise BadInput("unknown_profile", name[:100])
    return Profile.model_validate(body)


async def _class(conn: Connection, key: str) -> str | None:
    """The class of an object, None when there is none of this key."""
    row = await (await conn.execute(registry_write.SQL["ids"], {"keys": [key]})).fetchone()
    return row["class"] if row else None


async def _check_new(conn: Connection, external_id: str) -> None:
    row = await (await conn.execute(registry_write.SQL["tied_key"], {"key": device_key(external_id)})).fetchone()
    if row:
        raise Conflict(f"{external_id} is the device of {row['key']} already")


async def _check_free(conn: Connection, key: str) -> None:
    row = await (await conn.execute(registry_write.SQL["device_on"], {"key": key})).fetchone()
    if row:
        raise Conflict(f"{key} has the device {row['external_id']}: swap it")
