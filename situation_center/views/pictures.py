"""The picture of an object that has a camera, or is one: by the attribute of type `image` of its class."""

import re
import time
from datetime import datetime, timedelta

from citynet.access import Actor, allowed, require
from citynet.classes import Attribute
from citynet.db import Row
from citynet.errors import NotFound
from situation_center import registry_write
from situation_center.album import Album
from situation_center.cameras import NoPicture, Picture, Request
from situation_center.store import Center, city_now
from situation_center.views.base import SQL

# Only secrets of this name are sent to a camera: who writes the registry must not send the others where he likes.
SECRET = "camera_{}"  # noqa: S105
SECRET_NAME = re.compile(r"[a-z0-9_]{1,40}")


async def has_picture(db: Center, actor: Actor, object_id: int) -> bool:
    """Whether the actor may see a picture of the object, and there is an address of one."""
    if not allowed(actor, "camera.view"):
        return False
    row, attribute = await _find(db, object_id)
    return bool(row and attribute and row["attributes"].get(attribute.name)) and allowed(actor, "camera.view", row)


async def picture(db: Center, actor: Actor, object_id: int, *, album: Album) -> tuple[Picture, datetime]:
    """What the camera of an object shows, and when by the city's clock. Raises NotFound, NoPicture."""
    require(actor, "camera.view")
    row, attribute = await _find(db, object_id)
    if row is None or not allowed(actor, "camera.view", row):
        raise NotFound(f"no object {object_id}")
    url = row["attributes"].get(attribute.name) if attribute else None
    if attribute is None or not url:
        raise NotFound("no address of a snapshot: give the object one in the registry")
    secret = row["attributes"].get(f"{attribute.name}_secret")
    found = await album.picture(Request(url, _sign_in(db, secret) if secret else None))
    async with db.reader() as conn:
        return found, await city_now(conn) - timedelta(seconds=time.monotonic() - found.at)


async def _find(db: Center, object_id: int) -> tuple[Row | None, Attribute | None]:
    row = await db.row(SQL["attributes"], [object_id])
    if row is None:
        return None, None
    async with db.reader() as conn:
        kind = (await registry_write.classes(conn)).get(row["class"])
    return row, kind.image if kind else None


def _sign_in(db: Center, name: str) -> str:
    found = db.settings.given_secret(SECRET.format(name)) if SECRET_NAME.fullmatch(name) else None
    if found is None:
        raise NoPicture("secret", f"there is no secret {SECRET.format(name)[:50]}: see docs/how-to/cameras.md")
    return found
