"""Group commands: preview, order in waves, progress, stop, roll back."""

import uuid
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from situation_center import commands, groups, views
from situation_center.api.commands import Value
from situation_center.api.doors import Approves, Cancels, Orders, Place, ProblemRoute, ReadsCommands
from situation_center.groups import Choice, Waves
from situation_center.views.groups import GroupRow

router = APIRouter(tags=["commands"], route_class=ProblemRoute)
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Whom(BaseModel):
    """Whom a group means; all that is given must fit."""

    model_config = ConfigDict(extra="forbid")
    objects: list[Id] = Field([], max_length=groups.DEVICES_MAX)
    parent: Id | None = Field(None, description="the cabinet, gateway or feeder that they hang on")
    zone: Id | None = None
    class_: str | None = Field(None, alias="class", max_length=63)
    tag: str | None = Field(None, max_length=100)
    action: str = Field(max_length=100)

    def choice(self) -> Choice:
        """As groups.py knows it."""
        return Choice(tuple(self.objects), self.parent, self.zone, self.class_, self.tag)


class GroupOrder(Whom):
    """One action for all of them, in waves of size devices with pauses, stopped above a share of failures."""

    args: dict[str, Value] = Field({}, max_length=50)
    size: int = Field(20, ge=1, le=groups.WAVE_MAX)
    pause_s: int = Field(10, ge=0, le=3600)
    stop_share: float = Field(0.2, ge=0, le=1)
    idempotency_key: str = Field(min_length=1, max_length=80)
    confirmed: bool = Field(False, description="typed confirmation, by those who may approve")


class Reach(TypedDict):
    """Whom an order would reach: names of the silent ones, how many cannot do it or are not the caller's."""

    devices: int
    silent: list[str]
    unable: int
    forbidden: int


@router.post("/command-groups/preview")
async def preview(body: Whom, actor: Orders, place: Place) -> Reach:
    """Count before ordering."""
    found = await groups.preview(place.db, actor, body.choice(), action=body.action)
    silent = [str(target.row["key"]) for target in found.silent]
    return Reach(devices=len(found.able), silent=silent, unable=found.unable, forbidden=found.forbidden)


@router.post("/command-groups", status_code=202)
async def order(body: GroupOrder, actor: Orders, place: Place) -> GroupRow:
    """Order; more than 50 devices, or a dangerous action, wait for a second person."""
    group_id = await groups.order(
        place.db,
        actor,
        body.choice(),
        action=body.action,
        args=body.args,
        waves=Waves(body.size, body.pause_s, body.stop_share),
        idempotency_key=body.idempotency_key,
        confirmed=body.confirmed,
    )
    return await views.group(place.db, actor, group_id)


@router.get("/command-groups")
async def listed(actor: ReadsCommands, place: Place) -> list[GroupRow]:
    """The newest groups and how far they are."""
    return await views.groups(place.db, actor)


@router.get("/command-groups/{group_id}")
async def one(group_id: uuid.UUID, actor: ReadsCommands, place: Place) -> GroupRow:
    """One group."""
    return await views.group(place.db, actor, group_id)


@router.post("/command-groups/{group_id}/approve")
async def approve(group_id: uuid.UUID, actor: Approves, place: Place) -> GroupRow:
    """The second signature for all of it."""
    found = await views.group(place.db, actor, group_id)
    await commands.approve(place.db, actor, uuid.UUID(found["first_command"]))
    return await views.group(place.db, actor, group_id)


@router.post("/command-groups/{group_id}/stop")
async def stop(group_id: uuid.UUID, actor: Cancels, place: Place) -> GroupRow:
    """No further wave; what has not left is taken back."""
    await groups.stop(place.db, actor, group_id)
    return await views.group(place.db, actor, group_id)


class Confirmed(BaseModel):
    """What a roll-back needs beside its group."""

    model_config = ConfigDict(extra="forbid")
    confirmed: bool = False


@router.post("/command-groups/{group_id}/roll-back", status_code=202)
async def roll_back(group_id: uuid.UUID, body: Confirmed, *, actor: Orders, place: Place) -> GroupRow:
    """A new group that orders for each device what telemetry showed before."""
    made = await groups.roll_back(place.db, actor, group_id, confirmed=body.confirmed)
    return await views.group(place.db, actor, made)
