"""Scripts of profiles: list, read, try in the gateway's sandbox, save as a new version. Used by screen and API."""

from datetime import datetime
from pathlib import Path
from typing import cast

import msgspec
import psycopg
from typing_extensions import TypedDict

from citynet.access import Actor, require
from citynet.db import named_sql
from citynet.errors import BadInput, Conflict, NotFound
from citynet.model import CodecTried, CodecTry
from situation_center.registry_write import announce
from situation_center.store import Center

SQL = named_sql(Path(__file__).with_name("codecs.sql"))
TRY_S = 20.0
NOTE_MAX = 200


class ProfileCodec(TypedDict):
    """A profile and the newest version of its script; version 0 = it never had one."""

    profile: str
    version: int
    size: int
    actor: str
    recorded: datetime | None
    note: str


class CodecVersion(TypedDict):
    """One version of a script; size in bytes, 0 = the script was taken away."""

    version: int
    actor: str
    recorded: datetime
    note: str
    size: int


class CodecSource(TypedDict):
    """A script with its history."""

    profile: str
    version: int
    source: str
    versions: list[CodecVersion]


async def profiles(db: Center, actor: Actor) -> list[ProfileCodec]:
    """All profiles. Raises Forbidden."""
    require(actor, "registry.read")
    return cast(list[ProfileCodec], await db.rows(SQL["profiles"]))


async def one(db: Center, actor: Actor, profile: str, *, version: int | None = None) -> CodecSource:
    """A version of the script of a profile, the newest by default. Raises Forbidden, NotFound."""
    require(actor, "registry.read")
    name = profile.replace("\0", "")
    row = await db.row(SQL["known"], {"profile": name})
    if row is None or not row["known"]:
        raise NotFound(f"no profile {name[:200]}")
    found = await db.row(SQL["source"], {"profile": name, "version": version})
    if found is None and version is not None:
        raise NotFound(f"no version {version} of the codec of {name[:200]}")
    versions = cast(list[CodecVersion], await db.rows(SQL["versions"], {"profile": name}))
    source, number = (found["source"], found["version"]) if found else ("", 0)
    return CodecSource(profile=name, version=number, source=source, versions=versions)


async def attempt(db: Center, actor: Actor, asked: CodecTry) -> CodecTried:
    """Run a script once in the gateway's sandbox; nothing is stored. Raises Forbidden, Unavailable."""
    require(actor, "codec.write")
    check(db, asked.source)
    answer = await db.bus.request("rpc.codec.try", msgspec.json.encode(asked), timeout_s=TRY_S)
    return msgspec.json.decode(answer, type=CodecTried)


def check(db: Center, source: str) -> None:
    """Raises BadInput for a script that cannot be kept."""
    most = db.settings.codec_source_bytes
    if "\0" in source or len(source.encode("utf-8", "replace")) > most:
        raise BadInput("bad_codec", f"a script has at most {most} bytes and no NUL")


async def save(db: Center, actor: Actor, profile: str, *, source: str, note: str, base: int) -> int:
    """Write a new version and tell the gateway; its number. base = the version that was edited.

    Raises Forbidden, NotFound, BadInput (it does not load), Conflict (somebody saved another version meanwhile).
    An empty source takes the script away.
    """
    require(actor, "codec.write")
    check(db, source)
    if source.strip():
        tried = await attempt(db, actor, CodecTry(source=source, entry="uplink"))
        if tried.kind == "load":
            raise BadInput("bad_codec", tried.error)
    given = {"profile": profile, "version": base + 1, "source": source if source.strip() else ""}
    detail = {"version": base + 1, "note": note[:NOTE_MAX], "bytes": len(source.encode("utf-8", "replace"))}
    try:
        async with db.transaction(actor.name, action="codec.save", object_=profile, detail=detail) as conn:
            row = await (await conn.execute(SQL["known"], {"profile": profile})).fetchone()
            if row is None or not row["known"]:
                raise NotFound(f"no profile {profile[:200]}")
            if row["version"] != base:
                raise Conflict(f"version {row['version']} was saved meanwhile: look at it first")
            await conn.execute(SQL["add"], {**given, "note": note[:NOTE_MAX], "actor": actor.name})
            await announce(conn, "codec", profile)
    except psycopg.errors.UniqueViolation as error:
        raise Conflict("somebody saved another version meanwhile: look at it first") from error
    await db.announce("codec", profile)
    return base + 1
