"""Device profiles and classes of objects over REST: list, versions, a new version."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from citynet.classes import ObjectClass
from situation_center.api.doors import Place, ProblemRoute, ReadsRegistry, WritesRegistry
from situation_center.reference import kinds, profiles
from situation_center.reference.profiles import Listed

router = APIRouter(tags=["registry"], route_class=ProblemRoute)


class ProfileText(BaseModel):
    """A profile as schemas/services/*.toml describes it, in JSON."""

    model_config = ConfigDict(extra="forbid")
    body: dict[str, Any]
    base: int | None = Field(None, ge=0, description="the version that was edited; 0 = it must be new")
    note: str = Field("", max_length=200)


class Written(TypedDict):
    """The version that counts now."""

    version: int


@router.get("/registry/profiles")
async def all_profiles(actor: ReadsRegistry, place: Place) -> list[Listed]:
    """Profiles in their newest version, with the number of devices."""
    return await profiles.listed(place.db, actor)


@router.get("/registry/profiles/{name}")
async def one_profile(name: str, actor: ReadsRegistry, place: Place) -> list[dict[str, Any]]:
    """All versions of a profile, newest first."""
    return await profiles.versions(place.db, actor, name)


@router.put("/registry/profiles/{name}")
async def write_profile(name: str, body: ProfileText, *, actor: WritesRegistry, place: Place) -> Written:
    """Write a new version; it takes effect in the gateway within two seconds. The same body again changes nothing."""
    version = await profiles.save(place.db, actor, name, body=body.body, base=body.base, note=body.note)
    return Written(version=version)


class ClassText(BaseModel):
    """A class as schemas/classes.toml describes it, in JSON."""

    model_config = ConfigDict(extra="forbid")
    body: dict[str, Any]


@router.get("/registry/classes")
async def all_classes(actor: ReadsRegistry, place: Place) -> list[ObjectClass]:
    """Classes of objects with their typed attributes."""
    return await kinds.listed(place.db, actor)


@router.put("/registry/classes/{name}")
async def write_class(name: str, body: ClassText, *, actor: WritesRegistry, place: Place) -> Written:
    """Write a class or a new version of one; objects are held to it from their next change on."""
    return Written(version=await kinds.save(place.db, actor, name, body=body.body))
