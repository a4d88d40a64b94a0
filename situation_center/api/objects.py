"""Objects and devices of the city, services, and who I am."""

import uuid
from datetime import timedelta
from email.utils import format_datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from fastapi.responses import Response
from typing_extensions import TypedDict

from citynet.access import Actor, allowed
from citynet.errors import NotFound
from situation_center import views
from situation_center.api import credentials
from situation_center.api.doors import OwnsAccount, Place, ProblemRoute, ReadsQuarantine, ReadsRegistry, ViewsCameras
from situation_center.store import SQL, Center
from situation_center.views.base import scope
from situation_center.views.frames import LastFrames
from situation_center.views.health import Health
from situation_center.views.pictures import picture
from situation_center.views.radio import DeviceRadio
from situation_center.views.rows import FoundObject, ObjectCard, ServicePage
from situation_center.views.tracks import Track

router = APIRouter(tags=["objects"], route_class=ProblemRoute)
router.include_router(credentials.router)
PICTURES: dict[int | str, Any] = {
    200: {"content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}, "image/gif": {}}}
}
INT4_MAX = 2_147_483_647
After = Annotated[int, Query(ge=0, le=INT4_MAX)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Frames = Annotated[int, Query(ge=1, le=100)]


class Me(TypedDict):
    """Who calls."""

    login: str
    role: str
    services: list[str]
    language: str


class DeviceRow(TypedDict):
    """A device with the point it measures now."""

    device_id: int
    external_id: str
    protocol: str
    profile: str
    object_id: int | None
    object_key: str | None
    service: str | None


async def object_id_of(db: Center, actor: Actor, ref: str) -> int:
    """The id of an object given as number, UUID or natural key. Raises NotFound."""
    number = int(ref) if ref.isdecimal() and len(ref) < 11 and int(ref) <= INT4_MAX else None
    try:
        uid = uuid.UUID(ref)
    except ValueError:
        uid = None
    row = await db.row(SQL["find_object"], {"id": number, "uid": uid, "key": ref.replace("\0", "")})
    if row is None or not allowed(actor, "registry.read", row):
        raise NotFound(f"no object {ref[:200]}")
    return int(row["object_id"])


@router.get("/me")
async def me(actor: OwnsAccount) -> Me:
    """Who the session or key belongs to."""
    return Me(login=actor.login, role=actor.role, services=sorted(actor.services), language=actor.language)


@router.get("/objects")
async def find_objects(
    actor: ReadsRegistry, place: Place, *, text: Annotated[str, Query(max_length=200)], limit: Limit = 20
) -> list[FoundObject]:
    """Objects whose name or key contains the text."""
    return await views.search(place.db, actor, text, limit=limit)


@router.get("/objects/{ref:path}/radio")
async def object_radio(ref: str, actor: ReadsRegistry, place: Place) -> DeviceRadio:
    """How radio networks hear the device of an object: signal, losses by day, frame counter, gateways."""
    return await views.device_radio(place.db, actor, await object_id_of(place.db, actor, ref))


@router.get("/objects/{ref:path}/track")
async def object_track(
    ref: str, actor: ReadsRegistry, place: Place, *, hours: Annotated[float, Query(gt=0, le=744)] = 24
) -> Track:
    """Where a moving object was in the last hours, oldest first; jumps are left out and counted in `doubtful`."""
    until = (await views.strip(place.db, actor))["now"]
    object_id = await object_id_of(place.db, actor, ref)
    return await views.track(place.db, actor, object_id, until=until, length=timedelta(hours=hours))


@router.get("/objects/{ref:path}/snapshot", response_class=Response, responses=PICTURES)
async def object_snapshot(ref: str, actor: ViewsCameras, place: Place) -> Response:
    """What the camera of an object shows, some seconds old at most; 502 says why there is nothing."""
    object_id = await object_id_of(place.db, actor, ref)
    found, taken = await picture(place.db, actor, object_id, album=place.album)
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Last-Modified": format_datetime(taken, True),
    }
    return Response(found.data, media_type=found.kind, headers=headers)


@router.get("/objects/{ref:path}/frames")
async def object_frames(ref: str, actor: ReadsQuarantine, place: Place, *, limit: Frames = 20) -> LastFrames:
    """The last raw frames of the device of an object, the newest first: bytes in base 16, what they say, why not."""
    return await views.last_frames(place.db, actor, await object_id_of(place.db, actor, ref), limit=limit)


@router.get("/objects/{ref:path}")
async def one_object(ref: str, actor: ReadsRegistry, place: Place) -> ObjectCard:
    """An object by id, UUID or key: newest values, possible commands, open incidents."""
    return await views.object_card(place.db, actor, await object_id_of(place.db, actor, ref))


@router.get("/device-health")
async def device_health(actor: ReadsRegistry, place: Place) -> Health:
    """Who is silent, whose battery ends, whose clock is wrong, who is heard badly and by which gateway."""
    return await views.health(place.db, actor)


@router.get("/devices")
async def devices(actor: ReadsRegistry, place: Place, *, after: After = 0, limit: Limit = 100) -> list[DeviceRow]:
    """Devices in order of their id; `after` is the last id of the page before."""
    given = scope(actor) | {"after": after, "limit": limit, "external_id": None}
    return cast(list[DeviceRow], await place.db.rows(SQL["devices"], given))


@router.get("/devices/{external_id}")
async def one_device(external_id: str, actor: ReadsRegistry, place: Place) -> DeviceRow:
    """A device by the name it has on the wire."""
    given = scope(actor) | {"after": 0, "limit": 1, "external_id": external_id.replace("\0", "")}
    row = await place.db.row(SQL["devices"], given)
    if row is None:
        raise NotFound(f"no device {external_id[:200]}")
    return cast(DeviceRow, row)


@router.get("/services/{name}")
async def one_service(name: str, actor: ReadsRegistry, place: Place) -> ServicePage:
    """A city service: counts and panels."""
    return await views.service_page(place.db, actor, name)
