"""Commands: order, look, second signature, cancel."""

import uuid
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from typing_extensions import TypedDict

from situation_center import commands, views
from situation_center.api.doors import Approves, Cancels, Orders, Place, ProblemRoute, ReadsCommands
from situation_center.api.objects import object_id_of
from situation_center.views.groups import StepRow
from situation_center.views.rows import CommandRow

router = APIRouter(tags=["commands"], route_class=ProblemRoute)
Value = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=200)]


class Order(BaseModel):
    """What to tell an object. The same idempotency_key again gives the same commands and sends nothing."""

    model_config = ConfigDict(extra="forbid")
    object: int | Annotated[str, Field(max_length=200)] = Field(description="id, UUID or key of the object")
    action: str = Field(max_length=100)
    args: dict[str, Value] = Field({}, max_length=50)
    idempotency_key: str = Field(min_length=1, max_length=100)
    incident_id: int | None = Field(None, ge=1, description="the incident that this answers")
    confirmed: bool = Field(False, description="typed confirmation of a dangerous command, by those who may approve")


class Ordered(TypedDict):
    """Ids of the commands, one for each device."""

    commands: list[uuid.UUID]


@router.post("/commands", status_code=202)
async def request(body: Order, actor: Orders, place: Place) -> Ordered:
    """Order an action on an object; dangerous ones of an operator wait for a second person."""
    object_id = await object_id_of(place.db, actor, str(body.object))
    made = await commands.request(
        place.db,
        actor,
        object_id,
        action=body.action,
        args=body.args,
        idempotency_key=body.idempotency_key,
        incident_id=body.incident_id,
        confirmed=body.confirmed,
    )
    return Ordered(commands=made)


@router.get("/commands")
async def listed(*, actor: ReadsCommands, place: Place, state: str = "", text: str = "") -> list[CommandRow]:
    """The newest 200 commands: in a state, with a text in the name of the object or of the person."""
    return await views.commands_list(place.db, actor, states=[state] if state else [], text=text)


@router.get("/commands/{command_id}/log")
async def log(command_id: uuid.UUID, actor: ReadsCommands, place: Place) -> list[StepRow]:
    """Its states, and the receipts behind them."""
    return await views.steps(place.db, actor, command_id)


@router.get("/commands/{command_id}")
async def one(command_id: uuid.UUID, actor: ReadsCommands, place: Place) -> CommandRow:
    """A command and where it stands; confirmed only when telemetry shows the effect."""
    return await views.command_row(place.db, actor, str(command_id))


@router.post("/commands/{command_id}/approve")
async def approve(command_id: uuid.UUID, actor: Approves, place: Place) -> CommandRow:
    """The second signature."""
    await commands.approve(place.db, actor, command_id)
    return await views.command_row(place.db, actor, str(command_id))


@router.post("/commands/{command_id}/cancel")
async def cancel(command_id: uuid.UUID, actor: Cancels, place: Place) -> CommandRow:
    """Cancel what has not left. Still queued with cancel_asked: the gateway holds it and decides."""
    await commands.cancel(place.db, actor, command_id)
    return await views.command_row(place.db, actor, str(command_id))


class Back(BaseModel):
    """A roll-back; without a key one command is rolled back once."""

    model_config = ConfigDict(extra="forbid")
    idempotency_key: str = Field("", max_length=100)
    confirmed: bool = Field(False, description="typed confirmation of a dangerous command, by those who may approve")


@router.post("/commands/{command_id}/roll-back", status_code=202)
async def roll_back(command_id: uuid.UUID, body: Back, *, actor: Orders, place: Place) -> CommandRow:
    """Order what was true before: a new command that names the old one."""
    made = await commands.roll_back(
        place.db, actor, command_id, idempotency_key=body.idempotency_key, confirmed=body.confirmed
    )
    return await views.command_row(place.db, actor, str(made))
