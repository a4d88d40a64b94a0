"""Incidents: list, one, work actions."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from citynet.access import Actor
from citynet.errors import BadInput
from situation_center import incidents, views
from situation_center.api.doors import Place, ProblemRoute, ReadsIncidents
from situation_center.store import Center
from situation_center.views.rows import Card, QueueRow

router = APIRouter(tags=["incidents"], route_class=ProblemRoute)
Number = Annotated[int, Path(ge=1, le=9_223_372_036_854_775_807)]
Action = Literal[
    "acknowledge", "take", "undo", "assign", "dispatch", "start", "comment", "resolve", "verify", "close", "reopen",
    "false_alarm", "merge", "priority",
]  # fmt: skip


class Step(BaseModel):
    """A work action. version is that of the incident as you saw it; the rest as the action needs it."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(ge=1)
    text: str = Field("", max_length=4_000, description="comment, evidence or reason")
    owner_id: int | None = Field(None, description="assign: an account")
    org_id: int | None = Field(None, description="dispatch: an organisation")
    into: int | None = Field(None, description="merge: the incident that stays")
    priority: int | None = Field(None, ge=1, le=4)


class Stepped(TypedDict):
    """The version after the action."""

    incident_id: int
    version: int


@router.get("/incidents")
async def listed(
    actor: ReadsIncidents,
    place: Place,
    *,
    service: str | None = None,
    closed: bool = False,
    text: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=2_000)] = 500,
) -> list[QueueRow]:
    """Open incidents, worst first; with closed=true the finished ones."""
    return await views.queue(place.db, actor, service=service, text=text, closed=closed, limit=limit)


@router.get("/incidents/{incident_id}")
async def one(incident_id: Number, actor: ReadsIncidents, place: Place) -> Card:
    """One incident with conditions, log and commands."""
    return await views.card(place.db, actor, incident_id)


@router.post("/incidents/{incident_id}/{action}")
async def step(incident_id: Number, action: Action, body: Step, *, actor: ReadsIncidents, place: Place) -> Stepped:
    """A work action. 409 when somebody changed the incident since `version`, or its state does not allow the step."""
    version = await _step(place.db, actor, incident_id, action=action, body=body)
    return Stepped(incident_id=incident_id, version=version)


def _needed(value: int | None, name: str) -> int:
    if value is None or not 0 < value <= 2_147_483_647:
        raise BadInput("missing_field", f"{name} must be given")
    return value


async def _step(db: Center, actor: Actor, number: int, *, action: str, body: Step) -> int:
    """Each function of incidents asks for its own right on this incident."""
    version = body.version
    plain: dict[str, Callable[..., Awaitable[int]]] = {
        "acknowledge": incidents.acknowledge,
        "take": incidents.take,
        "undo": incidents.undo,
        "start": incidents.start,
        "verify": incidents.verify,
        "close": incidents.close,
    }
    match action:
        case "assign":
            owner = _needed(body.owner_id, "owner_id")
            return await incidents.assign(db, actor, number, version=version, owner_id=owner)
        case "dispatch":
            org = _needed(body.org_id, "org_id")
            return await incidents.dispatch(db, actor, number, version=version, org_id=org)
        case "comment":
            return await incidents.comment(db, actor, number, version=version, text=body.text)
        case "resolve":
            return await incidents.resolve(db, actor, number, version=version, evidence=body.text)
        case "reopen":
            return await incidents.reopen(db, actor, number, version=version, reason=body.text)
        case "false_alarm":
            return await incidents.false_alarm(db, actor, number, version=version, reason=body.text)
        case "merge":
            return await incidents.merge(db, actor, number, version=version, into=_needed(body.into, "into"))
        case "priority":
            priority = _needed(body.priority, "priority")
            return await incidents.set_priority(db, actor, number, version=version, priority=priority, reason=body.text)
        case _:
            return await plain[action](db, actor, number, version=version)
