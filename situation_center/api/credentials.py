"""Credentials of a device: list, issue or change, revoke. For administrators; a token is shown once."""

import uuid
from datetime import datetime, timedelta
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from citynet.errors import BadInput
from situation_center import credentials
from situation_center.api.doors import Place, ProblemRoute, WritesCredentials

router = APIRouter(tags=["credentials"], route_class=ProblemRoute)
Name = Annotated[str, Path(max_length=200)]
YEAR_S = 365 * 86_400


class Wanted(BaseModel):
    """A token, or a certificate by its subject. grace_s: older credentials of the device end after so many seconds."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["token", "x509"] = "token"
    subject: str = Field("", max_length=500, description="x509: as RFC 4514 writes it, such as CN=meter-7,O=city")
    sha256: str = Field("", max_length=95, description="x509: fingerprint of the only certificate that will do")
    until: datetime | None = Field(None, description="the credential ends then; with a time zone")
    grace_s: int | None = Field(None, ge=0, le=YEAR_S, description="token: change it; empty = beside the others")


class Issued(TypedDict):
    """token is shown once; empty for a certificate."""

    external_id: str
    token: str


class Row(TypedDict):
    """A credential without its secret; state is valid, ahead, ended or revoked."""

    uid: str
    kind: str
    subject: str
    fingerprint: str | None
    state: str
    valid_from: datetime
    valid_to: datetime | None
    created: datetime
    created_by: str
    revoked: datetime | None
    revoked_by: str


class Ended(TypedDict):
    """How many credentials were revoked."""

    revoked: int


@router.get("/devices/{external_id}/credentials")
async def listed(external_id: Name, actor: WritesCredentials, place: Place) -> list[Row]:
    """Every credential that the device has or had."""
    await credentials.of_actor(place.db, actor, external_id)
    return cast(list[Row], await credentials.listed(place.db, external_id))


@router.post("/devices/{external_id}/credentials", status_code=201)
async def issue(external_id: Name, actor: WritesCredentials, place: Place, *, body: Wanted) -> Issued:
    """Issue a credential, or change the token with a time of grace."""
    await credentials.of_actor(place.db, actor, external_id)
    if body.until is not None and body.until.tzinfo is None:
        raise BadInput("bad_end", "until needs a time zone")
    if body.kind == "token":
        grace = None if body.grace_s is None else timedelta(seconds=body.grace_s)
        token = await credentials.issue_token(place.db, external_id, by=actor.name, until=body.until, grace=grace)
        return Issued(external_id=external_id, token=token)
    await credentials.issue_certificate(
        place.db, external_id, by=actor.name, subject=body.subject, sha256=body.sha256, until=body.until
    )
    return Issued(external_id=external_id, token="")


@router.delete("/devices/{external_id}/credentials")
async def revoke(
    external_id: Name, actor: WritesCredentials, place: Place, *, uid: Annotated[uuid.UUID | None, Query()] = None
) -> Ended:
    """Revoke the credential of uid, without it all; live sessions end at once."""
    await credentials.of_actor(place.db, actor, external_id)
    ended = await credentials.revoke(place.db, external_id, by=actor.name, uid=str(uid) if uid else "")
    return Ended(revoked=ended)
