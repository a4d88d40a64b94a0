"""Webhooks: register, list, switch off. For administrators."""

from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from situation_center.api.doors import Place, ProblemRoute, WritesWebhooks
from situation_center.reactions import webhook

router = APIRouter(tags=["webhooks"], route_class=ProblemRoute)


class Endpoint(BaseModel):
    """Where to send changes of incidents; no services = all of them."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(max_length=2_000)
    services: list[str] = Field([], max_length=50)
    org_id: int | None = Field(None, ge=1, le=2_147_483_647, description="only incidents of this organisation")


class Added(TypedDict):
    """secret is shown once: it verifies the signatures (Standard Webhooks 1.0)."""

    webhook_id: int
    secret: str


class WebhookRow(TypedDict):
    """An endpoint and what is owed to it."""

    webhook_id: int
    url: str
    services: list[str]
    org_id: int | None
    active: bool
    created: datetime
    waiting: int
    delivered: int
    failed: int


@router.get("/webhooks")
async def listed(actor: WritesWebhooks, place: Place) -> list[WebhookRow]:
    """All endpoints."""
    return cast(list[WebhookRow], await place.db.rows(webhook.SQL["list"]))


@router.post("/webhooks", status_code=201)
async def add(body: Endpoint, actor: WritesWebhooks, place: Place) -> Added:
    """Register an endpoint; its address must be public and https."""
    number, secret = await webhook.add(place.db, actor, body.url, services=tuple(body.services), org_id=body.org_id)
    return Added(webhook_id=number, secret=secret)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def remove(webhook_id: Annotated[int, Path(ge=1, le=2_147_483_647)], actor: WritesWebhooks, place: Place) -> None:
    """Switch an endpoint off."""
    await webhook.remove(place.db, actor, webhook_id)
