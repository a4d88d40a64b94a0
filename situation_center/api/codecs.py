"""Payload codecs in JavaScript: list, read, try, save as a new version."""

import base64
import binascii
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from citynet.errors import BadInput
from citynet.model import CodecTry
from situation_center import codecs
from situation_center.api.doors import Place, ProblemRoute, ReadsRegistry, WritesCodecs
from situation_center.codecs import CodecSource, ProfileCodec

router = APIRouter(tags=["codecs"], route_class=ProblemRoute)
VERSION_MAX = 2_147_483_646
Version = Annotated[int | None, Query(ge=1, le=VERSION_MAX)]


class NewVersion(BaseModel):
    """The next version of a script; an empty source takes the script away."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(max_length=10_000_000)
    note: str = Field("", max_length=codecs.NOTE_MAX, description="what changed and why")
    base: int = Field(0, ge=0, le=VERSION_MAX, description="the version that was edited, 0 = there is none yet")


class Saved(TypedDict):
    """The number of the new version."""

    version: int


class Try(BaseModel):
    """One call of a script. payload (base64) for decoding, data for encodeDownlink."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(max_length=10_000_000)
    entry: Literal["uplink", "decodeUplink", "decodeDownlink", "encodeDownlink"] = "uplink"
    payload: str = Field("", max_length=400_000)
    f_port: int = Field(1, ge=0, le=255)
    data: dict[str, Any] = Field({}, max_length=200)
    profile: str = Field("", max_length=200, description="Whose map says what texts stand for.")


class Tried(TypedDict):
    """What came of it, see CodecTried."""

    ok: bool
    kind: str
    error: str
    values: dict[str, float]
    words: dict[str, str]
    refused: dict[str, str]
    warnings: list[str]
    errors: list[str]
    output: str


@router.get("/codecs")
async def listing(actor: ReadsRegistry, place: Place) -> list[ProfileCodec]:
    """Every profile with the newest version of its codec."""
    return await codecs.profiles(place.db, actor)


@router.post("/codecs/try")
async def attempt(body: Try, actor: WritesCodecs, place: Place) -> Tried:
    """Run a codec once in the gateway's sandbox; nothing is stored."""
    try:
        payload = base64.b64decode(body.payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("bad_payload", f"payload is not base64: {error}") from error
    asked = CodecTry(
        source=body.source,
        entry=body.entry,
        payload=payload,
        f_port=body.f_port,
        data=body.data,
        profile=body.profile,
    )
    return msgspec.convert(msgspec.to_builtins(await codecs.attempt(place.db, actor, asked)), Tried)


@router.get("/codecs/{profile}")
async def one(profile: str, actor: ReadsRegistry, place: Place, *, version: Version = None) -> CodecSource:
    """The codec of a profile, the newest version or the one that is named, with all versions."""
    return await codecs.one(place.db, actor, profile, version=version)


@router.put("/codecs/{profile}")
async def save(profile: str, body: NewVersion, actor: WritesCodecs, *, place: Place) -> Saved:
    """Save a new version; the gateway uses it within two seconds."""
    version = await codecs.save(
        place.db, actor, profile.replace("\0", ""), source=body.source, note=body.note, base=body.base
    )
    return Saved(version=version)
