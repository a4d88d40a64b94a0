"""What became of readings that were corrected: each version with who, when and why; 0 is what was received."""

from datetime import datetime
from typing import cast

from typing_extensions import TypedDict

from citynet.access import Actor
from situation_center.query.members import SQL, one_series, span
from situation_center.store import Center
from situation_center.views.base import scope

VERSIONS_MAX = 10_000


class Version(TypedDict):
    """One version of a reading. codec_version: it was decoded again by this; None: a person said so."""

    time: datetime
    version: int
    value: float
    quality: int
    who: str
    at: datetime
    why: str
    codec_version: str | None


async def versions(
    db: Center, actor: Actor, series_id: int, *, since: datetime, until: datetime, limit: int = 1_000
) -> list[Version]:
    """Of the corrected readings in [since, until), at most so many. Needs reading.read. Raises NotFound."""
    given = span(since, until) | scope(actor) | {"id": series_id, "limit": min(limit, VERSIONS_MAX)}
    await one_series(db, actor, series_id)
    rows = await db.rows(SQL["versions"], given)
    return [cast(Version, {key: row[key] for key in row if key != "series_id"}) for row in rows]
