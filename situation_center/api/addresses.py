"""The register of addresses over REST: search as people type, the nearest to a point; and merging of duplicates."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from situation_center.api.doors import Place, ProblemRoute, ReadsRegistry, WritesRegistry
from situation_center.reference import addresses, merges
from situation_center.reference.addresses import ADDED_MAX, FOUND_MAX, Address

router = APIRouter(tags=["registry"], route_class=ProblemRoute)
Ref = Annotated[str, Path(max_length=200)]


class Entry(BaseModel):
    """One address with its place."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    street: str = Field(max_length=200)
    house: str = Field(max_length=50)
    lon: float
    lat: float


class Into(BaseModel):
    """The object that stays, and why."""

    model_config = ConfigDict(extra="forbid")
    into: str = Field(max_length=200)
    note: str = Field("", max_length=1000)


class Count(TypedDict):
    """How many are new or lie elsewhere now."""

    changed: int


class Merged(TypedDict):
    """The memory of the merge."""

    merge_id: int


@router.get("/addresses")
async def search(
    actor: ReadsRegistry,
    place: Place,
    *,
    text: Annotated[str, Query(max_length=200)],
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = FOUND_MAX,
) -> list[Address]:
    """Addresses most like what was typed: abbreviations and a wrong letter do no harm."""
    return await addresses.search(place.db, actor, text, limit=limit)


@router.get("/addresses/nearest")
async def nearest(
    actor: ReadsRegistry,
    place: Place,
    *,
    lon: Annotated[float, Query(ge=-180, le=180)],
    lat: Annotated[float, Query(ge=-90, le=90)],
) -> list[Address]:
    """The nearest addresses within 500 m."""
    return await addresses.nearest(place.db, actor, lon, lat=lat)


@router.put("/addresses")
async def write(
    body: Annotated[list[Entry], Field(max_length=ADDED_MAX)], actor: WritesRegistry, place: Place
) -> Count:
    """Write addresses; one that is there already gets the new place."""
    given = [(e.street, e.house, e.lon, e.lat) for e in body]
    return Count(changed=await addresses.add(place.db, actor, given))


@router.get("/registry/duplicates")
async def duplicates(actor: ReadsRegistry, place: Place) -> list[dict[str, Any]]:
    """Pairs of objects that look like one thing; `gone` would go into `into`."""
    return await merges.candidates(place.db, actor)


@router.get("/registry/merges")
async def newest(actor: ReadsRegistry, place: Place) -> list[dict[str, Any]]:
    """The newest merges of the city."""
    return await merges.newest(place.db, actor)


@router.get("/registry/objects/{ref:path}/merges")
async def merged(ref: Ref, actor: ReadsRegistry, place: Place) -> list[dict[str, Any]]:
    """Merges that the object took part in."""
    return await merges.listed(place.db, actor, ref)


@router.post("/registry/objects/{ref:path}/merge", status_code=201)
async def merge(ref: Ref, body: Into, *, actor: WritesRegistry, place: Place) -> Merged:
    """Merge a duplicate into another object: parts and device move there, its key still leads there."""
    return Merged(merge_id=await merges.merge(place.db, actor, ref, into=body.into, note=body.note))


@router.delete("/registry/merges/{merge_id}", status_code=204)
async def undo(merge_id: Annotated[int, Path(ge=1, le=2_147_483_647)], actor: WritesRegistry, place: Place) -> None:
    """Take a merge back."""
    await merges.undo(place.db, actor, merge_id)
