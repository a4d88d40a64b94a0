"""The registry one by one: edit, life cycle, swap, history, as of any moment; unknown devices and their adoption."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from situation_center.api.doors import Installs, Place, ProblemRoute, ReadsQuarantine, ReadsRegistry, WritesRegistry
from situation_center.reference import devices, history, install, strangers, swap
from situation_center.reference.devices import Edit
from situation_center.reference.install import Install
from situation_center.reference.strangers import Adoption, Frame, Stranger
from situation_center.reference.swap import Register, Swap

router = APIRouter(tags=["registry"], route_class=ProblemRoute)
Ref = Annotated[str, Path(max_length=200)]
Moment = Annotated[datetime | None, Query()]
Degrees = Annotated[float, Field(ge=-180, le=180)]


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Fields(Strict):
    """What to change; what is not named stays. An attribute of null goes."""

    name_ru: str | None = Field(None, max_length=200)
    name_en: str | None = Field(None, max_length=200)
    address: str | None = Field(None, max_length=200)
    tags: list[str] | None = Field(None, max_length=20)
    parent: str | None = Field(None, max_length=200, description="key; empty = none")
    place: tuple[Degrees, Degrees] | None = Field(None, description="longitude, latitude")
    attributes: dict[str, Any] = Field({}, max_length=200)
    seen: AwareDatetime | None = Field(None, description="recorded_from of the version you saw; a newer one = 409")
    note: str = Field("", max_length=1000, description="why")


class Step(Strict):
    """planned, installed, active, out_of_service or retired."""

    state: str = Field(max_length=20)
    note: str = Field("", max_length=1000)


class Reading(Strict):
    """In the unit of the series."""

    series_id: int = Field(ge=1, le=2_147_483_647)
    final: float
    initial: float = 0.0


class Exchange(Strict):
    """Another device on the same point."""

    external_id: str = Field(max_length=100)
    profile: str | None = Field(None, max_length=200)
    at: datetime | None = None
    registers: list[Reading] = Field([], max_length=20)
    note: str = Field("", max_length=1000)


class Newcomer(Strict):
    """What an unknown device shall be."""

    profile: str = Field(max_length=200)
    name: str = Field("", max_length=200)
    lon: float | None = None
    lat: float | None = None
    key: str | None = Field(None, max_length=200)
    parent: str | None = Field(None, max_length=200)
    service: str | None = Field(None, max_length=63)
    address: str = Field("", max_length=200)
    tags: list[str] = Field([], max_length=20)


class Changed(TypedDict):
    """Whether anything is different now."""

    changed: bool


class Swapped(TypedDict):
    """The record of the exchange."""

    swap_id: int


class Adopted(TypedDict):
    """Frames that go up again."""

    frames: int


@router.get("/registry/strangers")
async def unknown(
    actor: ReadsQuarantine, place: Place, *, text: Annotated[str, Query(max_length=100)] = ""
) -> list[Stranger]:
    """Identifiers that talk and that no device has, the newest first."""
    return await strangers.listed(place.db, actor, text=text)


@router.get("/registry/strangers/{external_id}")
async def unknown_frames(external_id: Ref, actor: ReadsQuarantine, place: Place) -> list[Frame]:
    """The last frames of one of them."""
    return await strangers.frames(place.db, actor, external_id)


@router.post("/registry/strangers/{external_id}", status_code=201)
async def adopt(external_id: Ref, body: Newcomer, *, actor: WritesRegistry, place: Place) -> Adopted:
    """Make it a device; what it sent before goes up again and is decoded."""
    wanted = Adoption(external_id=external_id, **body.model_dump())
    return Adopted(frames=await strangers.adopt(place.db, actor, wanted))


@router.get("/registry/objects/{ref:path}/history")
async def past(ref: Ref, actor: ReadsRegistry, place: Place) -> dict[str, list[dict[str, Any]]]:
    """Versions, devices and swaps, newest first."""
    return dict(await history.history(place.db, actor, ref))


@router.get("/registry/objects/{ref:path}/registers")
async def registers(ref: Ref, actor: ReadsRegistry, place: Place) -> list[dict[str, Any]]:
    """Cumulative series of the object with their last values."""
    return await history.registers(place.db, actor, ref)


@router.get("/registry/objects/{ref:path}")
async def as_of(
    ref: Ref, actor: ReadsRegistry, place: Place, *, as_of: Moment = None, known_at: Moment = None
) -> dict[str, Any]:
    """An object as it was at a moment (city time), as that was known at another (wall time)."""
    return await history.as_of(place.db, actor, ref, moment=as_of, known_at=known_at)


@router.patch("/registry/objects/{ref:path}")
async def edit(ref: Ref, body: Fields, *, actor: WritesRegistry, place: Place) -> Changed:
    """Change fields of an object."""
    return Changed(changed=await devices.edit(place.db, actor, ref, wanted=Edit(**body.model_dump())))


@router.post("/registry/objects/{ref:path}/life-cycle", status_code=204)
async def life_cycle(ref: Ref, body: Step, *, actor: WritesRegistry, place: Place) -> None:
    """One step of the life cycle of the device on the object, or of the object itself."""
    await devices.set_life_cycle(place.db, actor, ref, state=body.state, note=body.note)


@router.post("/registry/objects/{ref:path}/swap", status_code=201)
async def exchange(ref: Ref, body: Exchange, *, actor: WritesRegistry, place: Place) -> Swapped:
    """Put another device on the object; its series go on."""
    found = [Register(r.series_id, r.final, r.initial) for r in body.registers]
    wanted = Swap(body.external_id, body.profile, at=body.at, registers=found, note=body.note)
    return Swapped(swap_id=await swap.swap(place.db, actor, ref, wanted=wanted))


class Accepting(Strict):
    """Where it hangs, and what is to be said."""

    place: tuple[Degrees, Degrees] | None = Field(None, description="longitude, latitude; null = as registered")
    note: str = Field("", max_length=500)


@router.get("/devices/{external_id}/install")
async def installation(external_id: Ref, actor: Installs, place: Place) -> Install:
    """Whether the device has been heard, how well, and where it should be."""
    return await install.state(place.db, actor, external_id)


@router.post("/devices/{external_id}/install", status_code=204)
async def accept(external_id: Ref, body: Accepting, *, actor: Installs, place: Place) -> None:
    """Accept an installed device that has been heard: it becomes active."""
    await install.accept(place.db, actor, external_id, place=body.place, note=body.note)
